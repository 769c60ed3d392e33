package provision

import (
	"context"

	"github.com/hookgate/hookgate/genesys"
)

// List returns what there is of ours, by kind. Names are compared by their
// beginning alone where name is empty.
func (p *Provisioner) List(ctx context.Context, name string, kinds Kinds) (*Report, error) {
	r := new(Report)
	if kinds.DataActions {
		if err := p.listDataActions(ctx, r, name); err != nil {
			return r, err
		}
	}
	if !kinds.OpenMessaging {
		return r, nil
	}
	all, err := p.api.OpenMessagings(ctx)
	if err != nil {
		return r, err
	}
	for _, m := range all {
		if wanted(m.Name, name) {
			r.Steps = append(r.Steps, Step{Kind: KindOpenMessaging, Name: m.Name, ID: m.ID, State: Found, Detail: m.URL})
		}
	}
	return r, nil
}

// Kinds are the kinds of things that a job is about.
type Kinds struct{ DataActions, OpenMessaging bool }

// wanted reports whether a thing is ours, and one that is asked for.
func wanted(name, asked string) bool { return ours(name) && (asked == "" || name == asked) }

// listDataActions lists integrations with their actions and credentials, in the
// order in which they are removed: what another thing needs comes after that.
func (p *Provisioner) listDataActions(ctx context.Context, r *Report, name string) error {
	integrations, err := p.api.Integrations(ctx)
	if err != nil {
		return err
	}
	for _, in := range integrations {
		if !isOurs(in) || !wanted(in.Name, name) {
			continue
		}
		actions, err := p.api.Actions(ctx, in.Name)
		if err != nil {
			return err
		}
		for _, a := range actions {
			if a.IntegrationID == in.ID || a.IntegrationID == "" {
				r.Steps = append(r.Steps, Step{Kind: KindAction, Name: a.Name, ID: a.ID, State: Found, Detail: "in " + in.Name})
			}
		}
		r.Steps = append(r.Steps, Step{Kind: KindIntegration, Name: in.Name, ID: in.ID, State: Found, Detail: in.IntendedState})
	}
	credentials, err := p.api.Credentials(ctx)
	if err != nil {
		return err
	}
	for _, c := range credentials {
		if wanted(c.Name, name) && c.Type.Name == genesys.UserDefined {
			r.add(KindCredential, c.Name, c.ID, Found)
		}
	}
	return nil
}

// Remove removes what is ours and has the name. What is gone already is no
// error. Where it breaks off, the report has what was removed.
func (p *Provisioner) Remove(ctx context.Context, name string, kinds Kinds) (*Report, error) {
	r := new(Report)
	there, err := p.List(ctx, name, kinds)
	if err != nil {
		return r, err
	}
	for _, thing := range there.Steps {
		if err := p.remove(ctx, thing); err != nil && !genesys.IsNotFound(err) {
			return r, err
		}
		thing.State = Removed
		r.Steps = append(r.Steps, thing)
	}
	return r, nil
}

func (p *Provisioner) remove(ctx context.Context, thing Step) error {
	switch thing.Kind {
	case KindAction:
		return p.api.DeleteAction(ctx, thing.ID)
	case KindIntegration:
		return p.api.DeleteIntegration(ctx, thing.ID)
	case KindCredential:
		return p.api.DeleteCredential(ctx, thing.ID)
	}
	return p.api.DeleteOpenMessaging(ctx, thing.ID)
}
