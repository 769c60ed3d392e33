package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/hookgate/hookgate/genesys"
)

// action makes the data action, or changes what it sends.
func (p *Provisioner) action(ctx context.Context, r *Report, a *DataAction, t Template, integration string, fresh bool) (genesys.Action, error) {
	want := genesys.Action{
		Category: a.Name, Name: a.Action, IntegrationID: integration,
		Contract: &genesys.ActionContract{
			Input:  genesys.InputContract{Schema: t.Input},
			Output: genesys.OutputContract{Schema: json.RawMessage(outputSchema)},
		},
		Config: a.request(t),
	}
	got, made, err := p.ensureAction(ctx, a, want, fresh, "")
	if err == nil && !made {
		var replaced bool
		if replaced, err = p.update(ctx, r, a, want, got.ID); err != nil || !replaced {
			r.leftOut(t)
			return got, err
		}
		got, _, err = p.ensureAction(ctx, a, want, fresh, got.ID)
	}
	if err == nil {
		r.add(KindAction, a.Action, got.ID, Created)
		r.leftOut(t)
	}
	return got, err
}

// ensureAction finds the action, or makes it. One that was removed may still be
// in the listing for a while.
func (p *Provisioner) ensureAction(ctx context.Context, a *DataAction, want genesys.Action, fresh bool, removed string) (genesys.Action, bool, error) {
	return ensure(ctx, p.waits, func(ctx context.Context) (*genesys.Action, error) {
		return p.findAction(ctx, a.Name, a.Action, removed)
	}, func(ctx context.Context) (genesys.Action, error) {
		return settled(ctx, p.waits, fresh, func(ctx context.Context) (genesys.Action, error) { return p.api.CreateAction(ctx, want) })
	})
}

func (r *Report) leftOut(t Template) {
	if len(t.LeftOut) > 0 && len(r.Steps) > 0 {
		r.Steps[len(r.Steps)-1].Detail = "without " + strings.Join(t.LeftOut, ", ") + ", which a flow cannot give to a data action"
	}
}

func (p *Provisioner) findAction(ctx context.Context, category, name, but string) (*genesys.Action, error) {
	all, err := p.api.Actions(ctx, category)
	if err != nil {
		return nil, err
	}
	return only(all, KindAction, name, func(a genesys.Action) bool { return a.Name == name && a.ID != but })
}

// update changes an action to what is wanted. Where its input is another one it
// is removed, if that is allowed.
func (p *Provisioner) update(ctx context.Context, r *Report, a *DataAction, want genesys.Action, id string) (replaced bool, err error) {
	state := Unchanged
	err = genesys.Versioned(ctx, func(ctx context.Context) error {
		now, err := p.api.Action(ctx, id)
		if err != nil {
			return err
		}
		if now.IntegrationID != want.IntegrationID || !sameContract(now.Contract, want.Contract) {
			if !a.Replace {
				return fmt.Errorf("the data action %q has another input or another integration, which Genesys cannot change: take another name for the action, or replace it, which gives it a new ID (flows refer to it by category and name, the API by ID)", a.Action)
			}
			replaced = true
			return p.api.DeleteAction(ctx, id)
		}
		if sameConfig(now.Config, want.Config) {
			return nil
		}
		state = Updated
		want.ID, want.Version = id, now.Version
		return p.api.UpdateAction(ctx, want)
	})
	if err == nil && !replaced {
		r.add(KindAction, a.Action, id, state)
	}
	if err == nil && replaced {
		r.add(KindAction, a.Action, id, Removed)
	}
	return replaced, err
}

// sameContract compares what an action takes. Genesys may show a schema with more
// in it than was sent, or not show it.
func sameContract(a, b *genesys.ActionContract) bool {
	if a == nil || b == nil || len(a.Input.Schema) == 0 {
		return true
	}
	x, errX := takes(a.Input.Schema)
	y, errY := takes(b.Input.Schema)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

// takes returns the members of a schema: their types, and a star for those that
// are required.
func takes(schema json.RawMessage) (map[string]string, error) {
	var s struct {
		Required   []string                         `json:"required"`
		Properties map[string]struct{ Type string } `json:"properties"`
	}
	if err := json.Unmarshal(schema, &s); err != nil {
		return nil, err
	}
	members := make(map[string]string)
	for name, p := range s.Properties {
		members[name] = p.Type
	}
	for _, name := range s.Required {
		members[name] += "*"
	}
	return members, nil
}

func sameConfig(a, b *genesys.ActionConfig) bool {
	return a != nil && b != nil && a.TimeoutSeconds == b.TimeoutSeconds && reflect.DeepEqual(a.Request, b.Request) &&
		a.Response.Template == b.Response.Template && len(a.Response.TranslationMap) == 0
}
