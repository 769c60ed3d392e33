package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/deadletter"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// The paths of the dead letters.
const (
	LettersPath = "/hookgate/dead-letters"
	SearchPath  = LettersPath + "/search"
	ReplayPath  = LettersPath + "/replay"
	EditPath    = LettersPath + "/edit"
	DiscardPath = LettersPath + "/discard"
)

// MaxStep is how many letters one request may send again or remove: a request
// ends soon, and who does more sends several.
const MaxStep = 1000

// maxRequest bounds a request, in bytes.
const maxRequest = 16 << 20

// Why there are no letters to work with.
var (
	errNoLetters = errors.New("the queue of this process has no dead letters that can be worked with here")
	errSensitive = errors.New("event_id and where are asked in the body of a POST to " + SearchPath + ": addresses are logged")
)

// DeadLetters is the part of the admin API that works with dead letters:
//
//	GET  /hookgate/dead-letters          a list, the oldest first
//	     ?hook=&kind=&error=&status=&since=&until=&id=&limit=<n>&values=true
//	POST /hookgate/dead-letters/search   the same, for all filters: deadletter.ListOptions
//	POST /hookgate/dead-letters/replay   deadletter.ReplayOptions, with 1 to 1000 IDs, in a dry run with any number
//	POST /hookgate/dead-letters/discard  deadletter.RemoveOptions, with 1 to 1000 IDs; whoever asks has kept them
//	POST /hookgate/dead-letters/edit     deadletter.EditOptions
//
// The answers of all but the last are JSON lines: letters, of which the last
// line is a ListEnd; progress, of which the last line has a report. An answer
// without its last line is incomplete.
type DeadLetters struct {
	// Open returns the letters of the queue that runs now, until done is
	// called. Default: those of Caddy's active config.
	Open func(ctx context.Context) (letters hook.DeadLetters, done func(), err error)
}

// ListEnd is the last line of a list.
type ListEnd struct {
	End     bool   `json:"end"`
	Matched int    `json:"matched"` // beyond the limit too
	Error   string `json:"error,omitempty"`

	// Unreadable says that the error is about nothing but letters that cannot be
	// read: all others were seen.
	Unreadable bool `json:"unreadable,omitempty"`
}

// Step is a line of the answer to replay and discard.
type Step struct {
	Progress *deadletter.Progress `json:"progress,omitempty"`
	Report   *deadletter.Report   `json:"report,omitempty"` // in the last line
	Error    string               `json:"error,omitempty"`  // and what it ended with
}

// Routes returns the routes of the API.
func (a *DeadLetters) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: LettersPath, Handler: a.handler(http.MethodGet, a.list)},
		{Pattern: SearchPath, Handler: a.handler(http.MethodPost, a.search)},
		{Pattern: ReplayPath, Handler: a.handler(http.MethodPost, a.replay)},
		{Pattern: DiscardPath, Handler: a.handler(http.MethodPost, a.discard)},
		{Pattern: EditPath, Handler: a.handler(http.MethodPost, a.edit)},
	}
}

// handler checks what all requests have in common, and finds the letters.
func (a *DeadLetters) handler(method string, fn func(http.ResponseWriter, *http.Request, *deadletter.Local) error) caddy.AdminHandler {
	return caddy.AdminHandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != method {
			w.Header().Set("Allow", method)
			return status(http.StatusMethodNotAllowed, fmt.Errorf("method %s is not allowed: use %s", r.Method, method))
		}
		open := a.Open
		if open == nil {
			open = activeLetters
		}
		letters, done, err := open(r.Context())
		if err != nil {
			return err
		}
		defer done()
		return fn(w, r, &deadletter.Local{Letters: letters})
	})
}

// activeLetters returns the dead letters of the config that runs now.
func activeLetters(ctx context.Context) (hook.DeadLetters, func(), error) {
	rt, err := app.Active()
	if err != nil {
		return nil, nil, status(http.StatusNotFound, err)
	}
	if err := rt.Enter(ctx); err != nil {
		return nil, nil, status(http.StatusServiceUnavailable, err)
	}
	letters, ok := rt.Letters()
	if !ok {
		rt.Leave()
		return nil, nil, status(http.StatusNotFound, errNoLetters)
	}
	return letters, rt.Leave, nil
}

func (a *DeadLetters) list(w http.ResponseWriter, r *http.Request, desk *deadletter.Local) error {
	opts, err := parseListQuery(r.URL.Query(), time.Now())
	if err != nil {
		return status(http.StatusBadRequest, err)
	}
	return answerList(w, r, desk, opts)
}

func (a *DeadLetters) search(w http.ResponseWriter, r *http.Request, desk *deadletter.Local) error {
	var opts deadletter.ListOptions
	if err := decode(w, r, &opts); err != nil {
		return err
	}
	if err := opts.Filter.Check(); err != nil {
		return status(http.StatusBadRequest, err)
	}
	return answerList(w, r, desk, opts)
}

func answerList(w http.ResponseWriter, r *http.Request, desk *deadletter.Local, opts deadletter.ListOptions) error {
	s := newStream(w)
	n, err := desk.List(r.Context(), opts, func(rec *deadletter.Record) error { return s.write(rec) })
	end := ListEnd{End: true, Matched: n}
	if err != nil {
		if !s.begun && !deadletter.Unreadable(err) {
			return unavailable(err)
		}
		end.Error, end.Unreadable = err.Error(), deadletter.Unreadable(err)
	}
	_ = s.write(end) // who is gone is not told
	return nil
}

func (a *DeadLetters) replay(w http.ResponseWriter, r *http.Request, desk *deadletter.Local) error {
	var opts deadletter.ReplayOptions
	if err := decode(w, r, &opts); err != nil {
		return err
	}
	if err := checkStep(opts.Filter.IDs, opts.DryRun, opts.Check()); err != nil {
		return err
	}
	return steps(w, func(progress func(deadletter.Progress)) (deadletter.Report, error) {
		return desk.Replay(r.Context(), opts, progress)
	})
}

func (a *DeadLetters) discard(w http.ResponseWriter, r *http.Request, desk *deadletter.Local) error {
	var opts deadletter.RemoveOptions
	if err := decode(w, r, &opts); err != nil {
		return err
	}
	if err := checkStep(opts.IDs, false, opts.Check()); err != nil {
		return err
	}
	return steps(w, func(progress func(deadletter.Progress)) (deadletter.Report, error) {
		return desk.Remove(r.Context(), opts, progress)
	})
}

func (a *DeadLetters) edit(w http.ResponseWriter, r *http.Request, desk *deadletter.Local) error {
	var opts deadletter.EditOptions
	if err := decode(w, r, &opts); err != nil {
		return err
	}
	if err := opts.Check(); err != nil {
		return status(http.StatusBadRequest, err)
	}
	edited, err := desk.Edit(r.Context(), opts)
	switch {
	case errors.Is(err, deadletter.ErrNoLetter):
		return status(http.StatusNotFound, err)
	case deadletter.Unfit(err):
		return status(http.StatusUnprocessableEntity, err)
	case err != nil:
		return unavailable(err)
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(edited)
}

// checkStep keeps a request small: which letters are meant is said by their
// IDs, so that a step does what was shown before, and no more. A dry run changes
// nothing, and looks through all letters once, however many are meant.
func checkStep(ids []string, dryRun bool, err error) error {
	switch {
	case err != nil:
		return status(http.StatusBadRequest, err)
	case len(ids) == 0 || len(ids) > MaxStep && !dryRun:
		return status(http.StatusBadRequest, fmt.Errorf("a request names 1 to %d letters by their IDs, not %d", MaxStep, len(ids)))
	}
	return nil
}

// steps answers with the progress of fn, and its report.
func steps(w http.ResponseWriter, fn func(progress func(deadletter.Progress)) (deadletter.Report, error)) error {
	s := newStream(w)
	last := time.Now()
	report, err := fn(func(p deadletter.Progress) {
		if time.Since(last) >= progressEvery {
			last = time.Now()
			_ = s.write(Step{Progress: &p}) // who does not listen is found at the end
		}
	})
	end := Step{Report: &report}
	if err != nil {
		if !s.begun && report.Done+report.Kept == 0 {
			return unavailable(err)
		}
		end.Error = err.Error()
	}
	_ = s.write(end) // who is gone is not told
	return nil
}

// progressEvery is how often a step tells how far it is.
const progressEvery = 200 * time.Millisecond

// writeTimeout is how long a reader may take for what was written.
const writeTimeout = 30 * time.Second

// stream writes JSON lines.
type stream struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	lines *deadletter.Lines
	begun bool
}

func newStream(w http.ResponseWriter) *stream {
	s := &stream{w: w, rc: http.NewResponseController(w), lines: deadletter.NewLines(w)}
	// Caddy gives a request ten seconds to be read, and the server ends one
	// that takes longer, though it was read long ago.
	_ = s.rc.SetReadDeadline(time.Time{})
	return s
}

func (s *stream) write(v any) error {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", "application/jsonl")
		s.w.Header().Set("Cache-Control", "no-store")
	}
	_ = s.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	err := s.lines.Write(v)
	if _, ok := v.(*deadletter.Record); !ok && err == nil {
		_ = s.rc.Flush() // not each letter
	}
	return err
}

// decode reads the body of a request: JSON, strictly. That it must say so keeps
// the forms of other sites' pages out.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return status(http.StatusUnsupportedMediaType, errors.New("the Content-Type is not application/json"))
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, end := dec.Token(); end != io.EOF {
			err = errors.New("something stands behind the object")
		}
	}
	if err != nil {
		return status(http.StatusBadRequest, fmt.Errorf("the request: %w", err))
	}
	return nil
}

// parseListQuery reads the options of a list from an address.
func parseListQuery(v url.Values, now time.Time) (opts deadletter.ListOptions, err error) {
	for name, values := range v {
		for i, value := range values {
			switch {
			case i > 0 && name != deadletter.FieldID:
				err = fmt.Errorf("%s stands %d times", name, len(values))
			case name == deadletter.FieldEventID || name == deadletter.FieldWhere:
				err = errSensitive
			case name == "limit":
				if opts.Limit, err = strconv.Atoi(value); err != nil || opts.Limit < 0 {
					err = errors.New("limit is not a number from 0")
				}
			case name == "values":
				if opts.Values, err = strconv.ParseBool(value); err != nil {
					err = errors.New("values is true or false")
				}
			default:
				err = opts.Filter.Set(name, value, now)
			}
			if err != nil {
				return opts, err
			}
		}
	}
	return opts, nil
}

func status(code int, err error) error { return caddy.APIError{HTTPStatus: code, Err: err} }

// unavailable is the answer where the queue cannot be worked with.
func unavailable(err error) error {
	if errors.Is(err, rabbitmq.ErrMayNotRead) {
		return status(http.StatusForbidden, err)
	}
	return status(http.StatusServiceUnavailable, err)
}
