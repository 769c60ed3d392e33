package validate

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/request"
	"github.com/hookgate/hookgate/hook"
)

const whole = `{"campaignId":"c","campaignName":"n","contactId":"k","contactNumber":"+14155550123","callOutcome":"answered","agentId":null,"agentName":null,` +
	`"dispositionCode":null,"dispositionLabel":null,"callDurationSeconds":142,"timestamp":"2026-05-14T18:32:11.450Z","webhookEventId":"evt"}`

// event returns what the handler makes of a body.
func event(t *testing.T, h *Handler, body string) *request.State {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	err := h.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil }))
	if err != nil {
		t.Fatal(err)
	}
	return request.Of(r)
}

func TestAnEventHasTheMendedBodyAndSaysSo(t *testing.T) {
	h := &Handler{Hook: "drifting", Contract: "pe-action-map", OnContractViolation: Park}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	if err := h.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	drifted := strings.Replace(whole, `"callDurationSeconds":142`, `"call.durationSeconds":"142"`, 1)
	for _, tc := range []struct{ name, body, published, drift string }{
		{"nothing drifted", whole, whole, ""},
		{"a name and a string", drifted, strings.TrimSuffix(drifted, "}") + `,"callDurationSeconds":142}`, "renamed /callDurationSeconds, string_number /callDurationSeconds"},
		{"a name that nobody knows", strings.TrimSuffix(whole, "}") + `,"new":1}`, strings.TrimSuffix(whole, "}") + `,"new":1}`, "unknown_member /*"},
		{"a violation beside is parked as it came", strings.Replace(drifted, `"callOutcome":"answered",`, "", 1), strings.Replace(drifted, `"callOutcome":"answered",`, "", 1), "renamed /callDurationSeconds, string_number /callDurationSeconds"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			st := event(t, h, tc.body)
			if string(st.Event.Body) != tc.published || st.Event.Header[hook.HeaderDrift] != tc.drift || st.Event.Header[hook.HeaderTraceparent] == "" {
				t.Errorf("got %s, %v", st.Event.Body, st.Event.Header)
			}
			if parks := strings.Contains(tc.name, "violation"); (st.Park != nil) != parks {
				t.Errorf("to be parked: %v", st.Park)
			}
			if _, there := st.Event.Header[hook.HeaderDrift]; there && tc.drift == "" {
				t.Error("there is an empty header")
			}
		})
	}
}

func TestWhatIsParkedSaysInHowManyPlacesItFails(t *testing.T) {
	h := &Handler{Hook: "parking", Contract: "pe-action-map", OnContractViolation: Park}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	if err := h.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	for want, body := range map[string]string{
		"does not meet pe-action-map/1 in 1 place":  strings.Replace(whole, `"answered"`, "1", 1),
		"does not meet pe-action-map/1 in 2 places": strings.NewReplacer(`"answered"`, "1", `"+14155550123"`, "1").Replace(whole),
	} {
		if st := event(t, h, body); st.Park == nil || st.Park.Message != want {
			t.Errorf("%+v, not %s", st.Park, want)
		}
	}
}
