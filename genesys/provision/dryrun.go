package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/hookgate/hookgate/genesys"
)

// DryRun asks what there is, and keeps what would be changed, without secrets.
type DryRun struct {
	ask  genesys.Sender
	kept []Change
	made map[string]json.RawMessage // what a look at something that would have been made is answered
	n    int
}

// Change is a request that would change something.
type Change struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Body   any    `json:"body,omitempty"` // as of encoding/json, with stars for secrets
}

// NewDryRun makes one that asks with s.
func NewDryRun(s genesys.Sender) *DryRun {
	return &DryRun{ask: s, made: make(map[string]json.RawMessage)}
}

// Changes returns what would have been sent so far, in that order.
func (d *DryRun) Changes() []Change { return d.kept }

// Send implements genesys.Sender.
func (d *DryRun) Send(ctx context.Context, req *genesys.Request, out any) error {
	if req.Method == http.MethodGet {
		return d.look(ctx, req, out)
	}
	if err := d.keep(req); err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	echo, err := json.Marshal(req.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(echo, out); err != nil {
		return err
	}
	if req.Method != http.MethodPost {
		return nil
	}
	d.n++
	id := fmt.Sprintf("new-%d", d.n)
	d.made[req.Path+"/"+id] = withID(echo, id)
	return json.Unmarshal(d.made[req.Path+"/"+id], out)
}

// withID adds an ID to an object, and what else Genesys would say of a thing
// that is made.
func withID(object json.RawMessage, id string) json.RawMessage {
	var members map[string]any
	if json.Unmarshal(object, &members) != nil {
		members = map[string]any{}
	}
	members["id"] = id
	members["createStatus"] = genesys.CreateCompleted
	data, err := json.Marshal(members)
	if err != nil {
		return object
	}
	return data
}

// look answers for what would have been made, and asks for the rest.
func (d *DryRun) look(ctx context.Context, req *genesys.Request, out any) error {
	for path, object := range d.made {
		switch {
		case req.Path == path:
			return json.Unmarshal(object, out)
		case strings.HasPrefix(req.Path, path+"/"): // its configuration
			return json.Unmarshal([]byte(`{"version":1}`), out)
		}
	}
	return d.ask.Send(ctx, req, out)
}

func (d *DryRun) keep(req *genesys.Request) error {
	c := Change{Method: req.Method, Path: req.Path}
	if req.Body != nil {
		raw, err := json.Marshal(req.Body)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &c.Body); err != nil {
			return err
		}
		mask(c.Body)
	}
	d.kept = append(d.kept, c)
	return nil
}

const stars = "***"

// mask puts stars in place of what the names say is secret.
func mask(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			mask(e)
		}
	case map[string]any:
		for name, e := range v {
			fields, _ := e.(map[string]any)
			switch name {
			case "outboundNotificationWebhookSignatureSecretToken":
				v[name] = stars
			case "credentialFields", "webhookHeaders":
				for field := range fields {
					fields[field] = stars
				}
			default:
				mask(e)
			}
		}
	}
}

// Interface guard
var _ genesys.Sender = (*DryRun)(nil)
