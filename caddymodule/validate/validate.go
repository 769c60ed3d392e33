// Package validate is the handler webhook_validate: it reads the event out of a
// request.
package validate

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/internal/around"
	"github.com/hookgate/hookgate/caddymodule/internal/placeholder"
	"github.com/hookgate/hookgate/caddymodule/problem"
	"github.com/hookgate/hookgate/caddymodule/request"
	"github.com/hookgate/hookgate/caddymodule/telemetry"
	"github.com/hookgate/hookgate/contract"
	"github.com/hookgate/hookgate/hook"
)

// What happens to an event that does not meet its contract.
const (
	Park   = "park"
	Reject = "reject"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler reads the body once under its cap and checks, in this order, the
// media type, that it is one strict JSON object, its event ID and its
// contract. What follows finds the event in the request: webhook_dedup and
// webhook_publish, and the placeholders {http.hookgate.hook} and
// {http.hookgate.event_id}. Where the body drifted from the contract in a way
// that is mended, the event has the mended one, and the fingerprint of the body
// as received.
//
// Used alone it takes any JSON object, rejects what does not fit and parks
// nothing. Errors: 415 unsupported_media_type, 413 body_too_large, 504
// deadline_exceeded, 400 invalid_json and missing_event_id, 401 stale, 422
// contract_violation.
type Handler struct {
	// The name of the hook: a metric label and a part of the store's keys.
	// Default: that of a handler before it, else default.
	Hook string `json:"hook,omitempty"`

	// The built-in contract that bodies are held against, such as
	// pe-action-map. Default: none.
	Contract string `json:"contract,omitempty"`

	// A file with a contract of one's own: a JSON Schema with a manifest.
	ContractFile string `json:"contract_file,omitempty"`

	// Where the event ID is. Default: where the contract says; without a
	// contract nowhere.
	EventID *EventID `json:"event_id,omitempty"`

	// The largest body in bytes. Default: 65536.
	MaxBody int64 `json:"max_body,omitempty"`

	// Take any Content-Type, for senders that do not set it rightly.
	// Default: false.
	AnyMediaType bool `json:"any_media_type,omitempty"`

	// What happens to an event that does not meet its contract: park or
	// reject. To park needs webhook_publish next, which keeps the event for a
	// person; webhook_dedup refuses to pass such an event on. Default: reject.
	OnContractViolation string `json:"on_contract_violation,omitempty"`

	// How old the contract's timestamp may be; it may be 5 minutes ahead of
	// our clock. The contract must say where the timestamp is. Default: not
	// checked.
	MaxEventAge caddy.Duration `json:"max_event_age,omitempty"`

	reader   *contract.Reader
	id       string // the contract's name and version
	recorder *telemetry.Recorder
}

// EventID says where a request has the event's ID. One of the fields is set.
type EventID struct {
	// JSON Pointers (RFC 6901) into the body; several are joined by a slash.
	Pointers []string `json:"pointers,omitempty"`

	// The name of a header field, without an underscore or a dot: Caddy and
	// other proxies drop those.
	Header string `json:"header,omitempty"`

	// The digest of the body is the ID.
	Body bool `json:"body,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.webhook_validate",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision implements caddy.Provisioner.
func (h *Handler) Provision(ctx caddy.Context) (err error) {
	if h.recorder, err = telemetry.NewRecorder(ctx); err != nil {
		return err
	}
	if err := h.provision(); err != nil {
		return fmt.Errorf("webhook_validate%s: %w", around.Hook(ctx), err)
	}
	return nil
}

func (h *Handler) provision() error {
	c, err := h.loadContract()
	if err != nil {
		return err
	}
	h.id = c.ID()
	h.reader, err = h.readerOf(c)
	return err
}

var errNoTimestamp = errors.New("max_event_age needs a contract that says where the timestamp is: without one every event would be refused as stale")

// readerOf returns what reads events of a contract, where the settings go with it.
func (h *Handler) readerOf(c *contract.Contract) (*contract.Reader, error) {
	if h.MaxEventAge != 0 && !c.HasTimestamp() {
		return nil, errNoTimestamp
	}
	return contract.NewReader(contract.Options{Contract: c, EventID: h.EventID.location()})
}

func (h *Handler) loadContract() (*contract.Contract, error) {
	switch {
	case h.Contract != "" && h.ContractFile != "":
		return nil, errors.New("contract and contract_file exclude each other")
	case h.ContractFile != "":
		path, err := h.contractPath()
		if err != nil {
			return nil, err
		}
		return contract.Load(path)
	case h.Contract != "":
		return contract.Builtin(h.Contract)
	}
	return contract.None(), nil
}

func (h *Handler) contractPath() (string, error) {
	path, err := placeholder.Resolve(h.ContractFile)
	if err != nil {
		return "", fmt.Errorf("contract_file: %w", err)
	}
	return path, nil
}

// location translates for the reader. A header is none of its business.
func (e *EventID) location() *contract.EventID {
	switch {
	case e == nil:
		return nil
	case e.Header != "":
		return new(contract.EventID)
	}
	return &contract.EventID{Pointers: e.Pointers, Body: e.Body}
}

// Validate implements caddy.Validator.
func (h *Handler) Validate() error {
	if h.Hook != "" && !hook.ValidName(h.Hook) {
		return fmt.Errorf("webhook_validate: %q cannot name a hook", h.Hook)
	}
	if h.MaxBody < 0 || h.MaxEventAge < 0 {
		return errors.New("webhook_validate: max_body and max_event_age cannot be negative")
	}
	switch h.OnContractViolation {
	case "", Park, Reject:
	default:
		return fmt.Errorf("webhook_validate: on_contract_violation is %s or %s, not %q", Park, Reject, h.OnContractViolation)
	}
	if e := h.EventID; e != nil {
		ways := 0
		for _, set := range []bool{len(e.Pointers) > 0, e.Header != "", e.Body} {
			if set {
				ways++
			}
		}
		if ways != 1 {
			return errors.New("webhook_validate: event_id needs one of pointers, header and body")
		}
		if e.Header != "" {
			if err := request.CheckFieldName(e.Header); err != nil {
				return fmt.Errorf("webhook_validate: event_id: %w", err)
			}
		}
	}
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	st := request.Join(r, h.recorder, h.Hook)
	if err := h.event(st, r); err != nil {
		return problem.Error(err)
	}
	return next.ServeHTTP(w, r)
}

// event reads the event of a request into its state.
func (h *Handler) event(st *request.State, r *http.Request) error {
	if err := checkMediaType(r.Header, h.AnyMediaType); err != nil {
		return err
	}
	body, err := request.Body(r, h.MaxBody)
	if err != nil {
		return err
	}
	begin := time.Now()
	defer func() { st.Took(telemetry.StageValidate, time.Since(begin)) }()

	doc, err := h.reader.Read(body)
	if err != nil {
		return err
	}
	if h.EventID != nil && h.EventID.Header != "" {
		if doc.ID, err = headerID(r.Header, h.EventID.Header); err != nil {
			return err
		}
	}
	if err := h.checkAge(&doc, st.Start); err != nil {
		return err
	}
	st.Event = &hook.Event{
		ID:          doc.ID,
		Hook:        st.Hook,
		Contract:    h.id,
		ContentType: r.Header.Get("Content-Type"),
		Body:        body,
		Fingerprint: doc.Fingerprint,
		ReceivedAt:  st.Start,
		ClientIP:    request.ClientIP(r),
		Header:      traceContext(r.Header),
	}
	h.noteDrift(st.Event, &doc)
	if len(doc.Violations) == 0 {
		return nil
	}
	if h.OnContractViolation != Park {
		return &hook.Error{Code: hook.CodeContractViolation, Violations: doc.Violations}
	}
	st.Park = &hook.Fault{
		Kind:       hook.KindInvalid,
		Message:    "does not meet " + h.id + " in " + places(len(doc.Violations)),
		Violations: doc.Violations,
		Time:       st.Start,
		First:      st.Start,
	}
	return nil
}

// places counts, in words.
func places(n int) string {
	if n == 1 {
		return "1 place"
	}
	return strconv.Itoa(n) + " places"
}

// noteDrift counts what was tolerated and puts it into an event's header, and
// what was mended into its body.
func (h *Handler) noteDrift(ev *hook.Event, doc *contract.Document) {
	if len(doc.Drift) == 0 {
		return
	}
	if ev.Header == nil {
		ev.Header = make(map[string]string, 1)
	}
	ev.Header[hook.HeaderDrift] = hook.DriftHeader(doc.Drift)
	h.recorder.Drift(ev.Hook, ev.Contract, doc.Drift)
	if doc.Repaired != nil {
		ev.Body = doc.Repaired
	}
}

// headerID takes the event ID from a header field that stands once.
func headerID(header http.Header, name string) (string, error) {
	values := header.Values(name)
	if len(values) != 1 || values[0] == "" {
		return "", &hook.Error{Code: hook.CodeMissingEventID, Detail: "the header field " + name + " must stand once and hold the event ID"}
	}
	return contract.CheckID(values[0])
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
