package simulate

import (
	"encoding/json"
	"io"
	"math"
	"time"
)

type jsonReport struct {
	URL           string         `json:"url"`
	Source        string         `json:"source"`
	Payload       string         `json:"payload"`
	Release       string         `json:"release"`
	Seed          uint64         `json:"seed"`
	Started       time.Time      `json:"started"`
	ElapsedMS     float64        `json:"elapsed_ms"`
	SendingMS     float64        `json:"sending_ms"`
	Interrupted   bool           `json:"interrupted"`
	Events        int            `json:"events"`
	Requests      int            `json:"requests"`
	RateAsked     float64        `json:"rate_asked"`
	Rate          float64        `json:"rate"`
	DeadlineMS    float64        `json:"deadline_ms"`
	Answers       []jsonAnswers  `json:"answers"`
	Latencies     []jsonLatency  `json:"latencies"`
	Errors        []jsonErrors   `json:"transport_errors"`
	Late          int            `json:"late"`
	Silent        int            `json:"silent"`
	WronglyTaken  map[string]int `json:"wrongly_taken"`
	AcceptedTwice int            `json:"accepted_twice"`
	GivenUp       int            `json:"given_up"`
	Abandoned     int            `json:"abandoned"`
	OK            bool           `json:"ok"`
	Failures      []string       `json:"failures"`
	Notes         []string       `json:"notes"`
	Verdict       string         `json:"verdict"`
}

type jsonAnswers struct {
	Sent       Kind    `json:"sent"`
	Status     int     `json:"status"`
	Code       string  `json:"code"`
	Count      int     `json:"count"`
	Share      float64 `json:"share"`
	Unexpected int     `json:"unexpected"`
}

type jsonLatency struct {
	Sent  string  `json:"sent"` // "total", or a kind
	Count int     `json:"count"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
	Late  int     `json:"late"`
}

type jsonErrors struct {
	Sent    Kind   `json:"sent"`
	Class   Class  `json:"class"`
	Count   int    `json:"count"`
	Example string `json:"example"`
}

// WriteJSON writes the report as one JSON object and a newline. Times are in
// milliseconds; lists are never null.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r.document())
}

func (r *Report) document() jsonReport {
	doc := jsonReport{
		URL:           r.URL,
		Source:        r.Source,
		Payload:       r.Payload,
		Release:       r.Release,
		Seed:          r.Seed,
		Started:       r.Started,
		ElapsedMS:     millis(r.Elapsed),
		SendingMS:     millis(r.Sending),
		Interrupted:   r.Interrupted,
		Events:        r.Events,
		Requests:      r.Requests,
		RateAsked:     r.Rate,
		Rate:          math.Round(r.achieved()*10) / 10,
		DeadlineMS:    millis(r.Deadline),
		Answers:       make([]jsonAnswers, 0, len(r.Answers)),
		Latencies:     make([]jsonLatency, 0, len(r.Latencies)),
		Errors:        make([]jsonErrors, 0, len(r.Errors)),
		Late:          r.Late,
		Silent:        r.Silent,
		WronglyTaken:  r.WronglyTaken,
		AcceptedTwice: r.AcceptedTwice,
		GivenUp:       r.GivenUp,
		Abandoned:     r.Abandoned,
		OK:            r.OK(),
		Failures:      append([]string{}, r.Failures()...),
		Notes:         append([]string{}, r.Notes()...),
		Verdict:       r.Verdict(),
	}
	if doc.WronglyTaken == nil {
		doc.WronglyTaken = map[string]int{}
	}
	for _, a := range r.Answers {
		doc.Answers = append(doc.Answers, jsonAnswers(a))
	}
	for _, e := range r.Errors {
		doc.Errors = append(doc.Errors, jsonErrors(e))
	}
	for _, l := range r.Latencies {
		name := string(l.Sent)
		if l.Sent == "" {
			name = "total"
		}
		doc.Latencies = append(doc.Latencies, jsonLatency{
			Sent: name, Count: l.Count, Late: l.Late,
			P50: millis(l.P50), P90: millis(l.P90), P99: millis(l.P99), Max: millis(l.Max),
		})
	}
	return doc
}
