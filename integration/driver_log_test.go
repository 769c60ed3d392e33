package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What outlives a reload logs to where the config that runs says.
func TestDriversLogWhereTheRunningConfigSays(t *testing.T) {
	config := func(name string) string {
		c := site(patientHook("name full", "contract none", "event_id /id"), "log {\n\t\toutput file $DIR/"+name+"\n\t}")
		return strings.Replace(c, "data_dir $DIR/data", "data_dir $DIR/data\n\t\tqueue embedded {\n\t\t\tmax_size 256KiB\n\t\t}", 1)
	}
	s := start(t, config("first.log"))
	if err := s.Reload(config("second.log")); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		a := s.post(fmt.Sprintf(`{"id":"%d","x":%q}`, n, strings.Repeat("x", 40<<10)))
		if a.status == 503 {
			break
		}
		if n > 100 {
			t.Fatal("the file does not fill")
		}
	}
	eventually(t, 10*time.Second, "the store says that it is full", func() bool {
		log, _ := os.ReadFile(filepath.Join(s.Dir, "second.log"))
		return strings.Contains(string(log), "embedded store refuses new events")
	})
}
