package request

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hookgate/hookgate/hook"
)

// Answer writes a success and records it. status is that of an event accepted
// or parked now (0: 202); a duplicate is always 200.
func (st *State) Answer(w http.ResponseWriter, r *http.Request, outcome hook.Outcome, status int) {
	switch {
	case outcome == hook.OutcomeDuplicate:
		status = http.StatusOK
	case status == 0:
		status = http.StatusAccepted
	}
	buf := make([]byte, 0, 192)
	buf = append(buf, `{"status":"`...)
	buf = append(buf, outcome...)
	buf = append(buf, `","event_id":`...)
	if st.Event != nil {
		buf, _ = jsontext.AppendQuote(buf, st.Event.ID) // an ID is valid UTF-8
	} else {
		buf = append(buf, `""`...)
	}
	if st.Local {
		buf = append(buf, `,"durability":"`+durabilityLocal+`"`...)
	}
	buf = append(buf, `,"processing_time_ms":`...)
	ms := float64(time.Since(st.Start)) / float64(time.Millisecond)
	buf = strconv.AppendFloat(buf, ms, 'f', 1, 64)
	buf = append(buf, "}\n"...)

	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	if outcome == hook.OutcomeDuplicate {
		header.Set("Idempotent-Replayed", "true")
	}
	header.Set("Content-Length", strconv.Itoa(len(buf)))
	st.Taken(r, outcome, status)
	w.WriteHeader(status)
	_, _ = w.Write(buf) // the sender is gone: it will ask again, with the same ID
}
