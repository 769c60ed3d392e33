package validate

import (
	"errors"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/internal/parse"
	"github.com/hookgate/hookgate/caddymodule/request"
	"github.com/hookgate/hookgate/contract"
)

func init() {
	parse.RegisterHandler("webhook_validate", parseCaddyfile)
}

// parseCaddyfile sets up the handler. Syntax:
//
//	webhook_validate [<matcher>] {
//		name                  <hook>
//		contract              <name> | file <path> | none
//		event_id              <pointer>... | header <name> | body
//		max_body              <size>
//		max_event_age         <duration>
//		any_media_type
//		on_contract_violation park | reject
//	}
func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	v := new(Handler)
	return v, v.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's own name
	if d.NextArg() {
		return d.ArgErr()
	}
	block, lines := *d, make(parse.Lines)
	err := parse.Block(d, lines.Note(map[string]parse.Func{
		"name":          parse.Name(&h.Hook),
		"contract":      h.ParseContract,
		"event_id":      h.ParseEventID,
		"max_body":      parse.Size(&h.MaxBody),
		"max_event_age": parse.Time(&h.MaxEventAge),
		"any_media_type": func(*caddyfile.Dispenser) error {
			h.AnyMediaType = true
			return nil
		},
		"on_contract_violation": parse.Word(&h.OnContractViolation, Park, Reject),
	}))
	if err != nil {
		return err
	}
	return h.CheckTogether(&block, lines)
}

// CheckTogether refuses settings that do not go together, as far as that can be
// told without the file of a contract. An error has the line of one of them, else
// that of the block.
func (h *Handler) CheckTogether(block *caddyfile.Dispenser, lines parse.Lines) error {
	if h.ContractFile != "" {
		return nil
	}
	c, err := h.loadContract()
	if err != nil {
		return lines.At(block, "contract").WrapErr(err)
	}
	switch _, err := h.readerOf(c); {
	case errors.Is(err, errNoTimestamp):
		return lines.At(block, "max_event_age").WrapErr(err)
	case err != nil:
		return lines.At(block, "event_id").WrapErr(err)
	}
	return nil
}

// ParseContract reads the arguments of contract.
func (h *Handler) ParseContract(d *caddyfile.Dispenser) error {
	var word string
	if err := parse.String(&word)(d); err != nil {
		return err
	}
	switch word {
	case "none":
	case "file":
		return parse.String(&h.ContractFile)(d)
	default:
		if !slices.Contains(contract.Names(), word) {
			return d.Errf("contract: %q is not built in: there are %s; or write contract file <path>, or contract none", word, strings.Join(contract.Names(), ", "))
		}
		h.Contract = word
	}
	return nil
}

// ParseEventID reads the arguments of event_id.
func (h *Handler) ParseEventID(d *caddyfile.Dispenser) error {
	var first string
	if err := parse.String(&first)(d); err != nil {
		return err
	}
	h.EventID = new(EventID)
	line := *d
	switch first {
	case "header":
		if err := parse.String(&h.EventID.Header)(d); err != nil {
			return err
		}
		if err := request.CheckFieldName(h.EventID.Header); err != nil {
			return d.Errf("event_id: %v", err)
		}
		return nil
	case "body":
		h.EventID.Body = true
		return nil
	}
	for pointer := first; ; pointer = d.Val() {
		if pointer[0] != '/' {
			return d.Errf("event_id: %q is not a JSON pointer such as /webhookEventId, nor header or body", pointer)
		}
		h.EventID.Pointers = append(h.EventID.Pointers, pointer)
		if !d.NextArg() {
			break
		}
	}
	if _, err := contract.NewReader(contract.Options{EventID: h.EventID.location()}); err != nil {
		return line.WrapErr(err)
	}
	return nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
