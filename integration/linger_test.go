package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestAReloadFailsNoRequestThatTakesLongerThanTenSeconds(t *testing.T) {
	config := site("\tgenesys_webhook " + hookPath + " {\n\t\ttimeout 30s\n\t}\n\thandle /metrics {\n\t\tmetrics\n\t}")
	s := start(t, config)
	w := s.dial()
	_ = w.SetDeadline(time.Now().Add(time.Minute))
	body := payload("slow")
	w.write(head(fmt.Sprintf("Content-Length: %d\r\n", len(body))) + body[:10])
	eventually(t, 5*time.Second, "the request is in flight", func() bool {
		return strings.Contains(s.get("/metrics"), `hookgate_requests_in_flight{hook="pe-action-map"} 1`)
	})
	if err := s.Reload(config); err != nil {
		t.Fatal(err)
	}
	rest := time.NewTimer(11 * time.Second) // longer than a runtime lingers at the least
	<-rest.C
	w.write(body[10:])
	if a := w.read(); a.status != 202 {
		t.Errorf("got %d %s", a.status, a.raw)
	}
}
