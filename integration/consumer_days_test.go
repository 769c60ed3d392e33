package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// processing is a Caddyfile whose consumer forwards, with more global options
// of the consumer and the directives of a site.
func processing(url, site string) string {
	return fmt.Sprintf(`{
	admin $ADMIN
	auto_https off
	grace_period 5s
	persist_config off
	hookgate {
		data_dir $DIR/data
		consumer {
			forward %s
			retry 1s 2s
		}
	}
}

http://:$PORT {
	bind 127.0.0.1
	%s
	respond 404
}
`, url, site)
}

func TestTheSameIDWithAnotherBodyAfterTheEdgesTTLIsADeadLetter(t *testing.T) {
	down := newDownstream(t)
	s := start(t, processing(down.URL, "genesys_webhook "+hookPath+" {\n\t\tttl 2s\n\t}"))
	take := func(body string) {
		t.Helper()
		eventually(t, 30*time.Second, "it is accepted", func() bool { a := s.post(body); return a.status == 202 && a.code() == "accepted" })
	}
	take(payload("evt"))
	eventually(t, 30*time.Second, "it is processed", func() bool { return down.times("evt") == 1 })
	// While the edge remembers the ID it parks another body under it, once.
	// Afterwards it takes it, and it is the inbox that remembers.
	take(strings.Replace(payload("evt"), `"answered"`, `"busy"`, 1))
	var q struct{ Ready, Dead int }
	eventually(t, 30*time.Second, "it is a dead letter", func() bool {
		s.AdminGet("/hookgate/queue", &q)
		metrics, err := s.AdminRead("/metrics")
		return err == nil && q.Ready == 0 && q.Dead > 0 &&
			strings.Contains(metrics, `hookgate_consumer_attempts_total{hook="pe-action-map",result="conflict"} 1`+"\n")
	})
	if n := down.times("evt"); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
}

func TestWhatIsAcceptedIsProcessedWhenTheProcessIsKilledUnderLoad(t *testing.T) {
	down := newDownstream(t)
	s := start(t, processing(down.URL, patientHook()))
	j := new(journal)
	for round := range 4 {
		stop := make(chan struct{})
		before := len(j.snapshot())
		senders := s.load(6, fmt.Sprint("good-", round), false, stop, j, func(string) {})
		eventually(t, 60*time.Second, "some are accepted", func() bool { return len(j.snapshot()) > before+150 })
		s.Kill()
		close(stop)
		senders.Wait()
		s.Run()
	}
	accepted := j.snapshot()
	// What was at work when the process was killed is claimed for 30 s.
	eventually(t, 2*time.Minute, "all are processed", func() bool {
		var q struct {
			Ready, Due, Dead int
			InWork           int `json:"in_work"`
		}
		s.AdminGet("/hookgate/queue", &q)
		return q.Ready+q.Due+q.InWork == 0
	})
	lost, again := 0, 0
	for id := range accepted {
		switch n := down.times(id); {
		case n == 0:
			lost++
		default:
			again += n - 1
		}
	}
	var q struct{ Dead int }
	s.AdminGet("/hookgate/queue", &q)
	if lost > 0 || q.Dead > 0 {
		t.Errorf("of %d events %d were not processed, and %d are dead letters", len(accepted), lost, q.Dead)
	}
	if again > 4*8 { // more than were at work in each
		t.Errorf("%d came again", again)
	}
}
