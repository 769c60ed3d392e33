// Package outage tests the program on the Redis and the RabbitMQ that it has in
// production, on their good days and on their bad ones. One broker serves all
// tests here, one after the other: they suspend and kill it.
package outage

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
	"github.com/hookgate/hookgate/integration/servers"
)

var (
	program string            // the path of the built program
	broker  *servers.RabbitMQ // its default user may do everything
	begun   time.Time         // when the broker was there for the first time
	secure  *tlsSide          // of the broker
)

// young is how old a queue, or a broker, must be before the broker is killed:
// RabbitMQ 3.10 writes their names to disk some seconds late, and a younger one
// does not come back.
const young = 6 * time.Second

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hookgate-outage-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = prepare(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer broker.Close()
	return m.Run()
}

func prepare(dir string) (err error) {
	data := filepath.Join(dir, "rabbitmq")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if program, err = edge.Build(dir); err != nil {
		return err
	}
	var undo func()
	if secure, undo, err = newSecure(dir); err != nil {
		return err
	}
	defer undo()
	broker, err = servers.NewRabbitMQ(data)
	begun = time.Now()
	return err
}
