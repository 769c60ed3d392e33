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
	values := [...]string{"application/json", "no-store", strconv.Itoa(len(buf)), "true"} // one room for all
	header["Content-Type"] = values[0:1:1]
	header["Cache-Control"] = values[1:2:2]
	header["Content-Length"] = values[2:3:3]
	if outcome == hook.OutcomeDuplicate {
		header["Idempotent-Replayed"] = values[3:4:4]
	}
	st.Taken(r, outcome, status)
	w.WriteHeader(status)
	_, _ = w.Write(buf) // the sender is gone: it will ask again, with the same ID
}
