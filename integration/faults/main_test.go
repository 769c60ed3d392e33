// Package faults takes servers and processes down under load, and holds what
// senders were told against what took effect: two edges, two consumers, Redis
// with PostgreSQL behind it, and RabbitMQ with a spool before it.
//
// "make test" runs a selection with short faults. "make faults" runs all of
// them, and prints the checker's report.
package faults

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
	"github.com/hookgate/hookgate/integration/ledger"
	"github.com/hookgate/hookgate/integration/servers"
)

var (
	all      = flag.Bool("all", false, "run all faults, each as long as it is in life")
	markdown = flag.String("report", "", "also write the report to this `file`, as Markdown")
	seed     = flag.Int64("seed", 0, "of the faults at random; 0 takes one from the clock")
)

var (
	program, companion string // paths of the built programs
	broker             *servers.RabbitMQ
	postgres           *servers.Postgres
	begun              time.Time // when the broker was there
	report             table
)

// bounds are what the promise says. The programs of a short run are built with
// the race detector, and share the machine with other tests.
func bounds() ledger.Bounds {
	if *all {
		return ledger.Bounds{Answer: 550 * time.Millisecond, Recovery: 10 * time.Second}
	}
	return ledger.Bounds{Answer: 1200 * time.Millisecond, Recovery: 20 * time.Second}
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hookgate-faults-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = prepare(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer broker.Close()
	defer postgres.Close()
	code := m.Run()
	if err := report.print(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func prepare(dir string) (err error) {
	data := filepath.Join(dir, "rabbitmq")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	program, companion = filepath.Join(dir, "hookgate"), filepath.Join(dir, "hookgate-consumer")
	for _, name := range []string{"hookgate", "hookgate-consumer"} {
		args := []string{"build", "-buildvcs=false", "-tags", edge.Tags, "-o", filepath.Join(dir, name)}
		if !*all {
			args = append(args, "-race")
		}
		build := exec.Command("go", append(args, "github.com/hookgate/hookgate/cmd/"+name)...)
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", name, err, out)
		}
	}
	if postgres, err = servers.NewPostgres(); err != nil {
		return err
	}
	if broker, err = servers.NewRabbitMQ(data); err != nil {
		postgres.Close()
		return err
	}
	begun = time.Now()
	return nil
}
