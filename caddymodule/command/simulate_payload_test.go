package command

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/hookgate/hookgate/contract"
	"github.com/hookgate/hookgate/genesys/simulate"
	"github.com/hookgate/hookgate/hook"
)

// The simulator and the contracts know the same of Genesys Cloud.
func TestWhatIsSimulatedMeetsItsContractInEveryRelease(t *testing.T) {
	for _, tc := range []struct {
		payload, release string
		drift            []hook.DriftKind // each occurs, and no other
	}{
		{"pe-action-map", "today", []hook.DriftKind{hook.DriftAbsentNull}},
		{"pe-action-map", "2023", []hook.DriftKind{hook.DriftAbsentNull}},
		{"pe-action-map", "next", []hook.DriftKind{hook.DriftAbsentNull, hook.DriftRenamed, hook.DriftStringNumber, hook.DriftNoZone, hook.DriftUnknownMember}},
		{"open-messaging", "today", nil},
		{"open-messaging", "2025", nil},
		{"open-messaging", "2021-04", []hook.DriftKind{hook.DriftRenamed}},
		{"open-messaging", "2021", []hook.DriftKind{hook.DriftRenamed}},
		{"open-messaging", "next", []hook.DriftKind{hook.DriftNewValue, hook.DriftStringNumber, hook.DriftNoZone, hook.DriftUnknownMember}},
		{"conversation-event", "2022", nil},
		{"conversation-event", "2024-09", nil},
		{"conversation-event", "today", nil},
		{"conversation-event", "next", []hook.DriftKind{hook.DriftNewValue, hook.DriftStringNumber, hook.DriftUnknownMember}},
	} {
		t.Run(tc.payload+" "+tc.release, func(t *testing.T) {
			c, err := contract.Builtin(tc.payload)
			if err != nil {
				t.Fatal(err)
			}
			reader, err := contract.NewReader(contract.Options{Contract: c})
			if err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			ids, kinds := make(map[string]bool), make(map[hook.DriftKind]bool)
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				doc, err := reader.Read(body)
				if err != nil || len(doc.Violations) > 0 || !doc.HasTimestamp {
					t.Errorf("%v, %v of %s", err, doc.Violations, body)
				}
				mu.Lock()
				defer mu.Unlock()
				ids[doc.ID] = true
				for _, d := range doc.Drift {
					kinds[d.Kind] = true
				}
			}))
			defer server.Close()
			const count = 200
			if _, err := simulate.Run(t.Context(), simulate.Options{URL: server.URL, Count: count, Seed: 7, Payload: tc.payload, Release: tc.release}); err != nil {
				t.Fatal(err)
			}
			if len(ids) != count {
				t.Errorf("%d event IDs of %d events", len(ids), count)
			}
			if len(kinds) != len(tc.drift) {
				t.Errorf("drift %v, want %v", kinds, tc.drift)
			}
			for _, kind := range tc.drift {
				if !kinds[kind] {
					t.Errorf("no %s", kind)
				}
			}
		})
	}
}

func TestEveryBrokenBodyIsRefusedOrParked(t *testing.T) {
	for _, payload := range simulate.Payloads() {
		c, err := contract.Builtin(payload)
		if err != nil {
			t.Fatal(err)
		}
		reader, err := contract.NewReader(contract.Options{Contract: c})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if doc, err := reader.Read(body); err == nil && len(doc.Violations) == 0 {
				t.Errorf("%s: taken is %s", payload, body)
			}
			w.WriteHeader(http.StatusBadRequest)
		}))
		defer server.Close()
		if _, err := simulate.Run(t.Context(), simulate.Options{URL: server.URL, Count: 200, Seed: 7, Payload: payload, Malformed: 1}); err != nil {
			t.Fatal(err)
		}
	}
}
