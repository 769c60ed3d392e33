package provision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hookgate/hookgate/genesys"
)

// credentialKey is the place in the integration's configuration where a
// credential of our type goes.
func (p *Provisioner) credentialKey(ctx context.Context) (string, error) {
	t, err := p.api.IntegrationType(ctx, genesys.WebServices)
	if err != nil {
		return "", err
	}
	for _, key := range slices.Sorted(maps.Keys(t.Credentials)) {
		if slices.Contains(t.Credentials[key].Types, genesys.UserDefined) {
			return key, nil
		}
	}
	return "", fmt.Errorf("integrations of the type %s take no credential of the type %s in this organization", genesys.WebServices, genesys.UserDefined)
}

func (p *Provisioner) integration(ctx context.Context, r *Report, name string) (genesys.Integration, bool, error) {
	in, made, err := ensure(ctx, p.waits, func(ctx context.Context) (*genesys.Integration, error) {
		all, err := p.api.Integrations(ctx)
		if err != nil {
			return nil, err
		}
		return only(all, KindIntegration, name, func(in genesys.Integration) bool { return isOurs(in) && in.Name == name })
	}, func(ctx context.Context) (genesys.Integration, error) {
		return p.api.CreateIntegration(ctx, name, genesys.WebServices)
	})
	if err == nil {
		r.add(KindIntegration, name, in.ID, stateOf(made))
	}
	return in, made, err
}

// isOurs reports whether an integration is one that is made here.
func isOurs(in genesys.Integration) bool { return in.Type.ID == genesys.WebServices && ours(in.Name) }

func stateOf(made bool) string {
	if made {
		return Created
	}
	return Unchanged
}

// credential makes the credential, or writes the secret anew: Genesys does not
// say what it is.
func (p *Provisioner) credential(ctx context.Context, r *Report, a *DataAction) (string, error) {
	want := genesys.Credential{
		Name: a.Name, Type: genesys.CredentialType{Name: genesys.UserDefined}, Fields: map[string]string{secretField: a.Secret},
	}
	c, made, err := ensure(ctx, p.waits, func(ctx context.Context) (*genesys.Credential, error) {
		return p.findCredential(ctx, a.Name)
	}, func(ctx context.Context) (genesys.Credential, error) {
		return p.api.CreateCredential(ctx, want)
	})
	if err != nil {
		return "", err
	}
	state := Created
	if !made {
		state = Updated
		if err := p.api.UpdateCredential(ctx, c.ID, want); err != nil {
			return "", err
		}
	}
	r.add(KindCredential, a.Name, c.ID, state)
	return c.ID, nil
}

func (p *Provisioner) findCredential(ctx context.Context, name string) (*genesys.Credential, error) {
	all, err := p.api.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	return only(all, KindCredential, name, func(c genesys.Credential) bool { return c.Name == name && c.Type.Name == genesys.UserDefined })
}

// notes tell whoever finds the integration where it is from.
const notes = "Made by hookgate genesys provision: run it again to change anything."

func (p *Provisioner) config(ctx context.Context, r *Report, id, name, key, credential string) error {
	state := Unchanged
	err := genesys.Versioned(ctx, func(ctx context.Context) error {
		c, err := p.api.IntegrationConfig(ctx, id)
		if err != nil {
			return err
		}
		if c.Credentials[key].ID == credential && c.Name == name {
			return nil
		}
		if c.Properties == nil {
			c.Properties = map[string]any{}
		}
		if c.Advanced == nil {
			c.Advanced = map[string]any{}
		}
		c.Name, c.Notes = name, notes
		c.Credentials = map[string]genesys.CredentialRef{key: {ID: credential}}
		state = Updated
		_, err = settled(ctx, p.waits, true, func(ctx context.Context) (struct{}, error) {
			err := p.api.SetIntegrationConfig(ctx, id, c)
			if genesys.IsVersionConflict(err) { // to be read again, not to be waited for
				return struct{}{}, &conflict{err}
			}
			return struct{}{}, err
		})
		if c, ok := errors.AsType[*conflict](err); ok {
			return c.err
		}
		return err
	})
	if err == nil {
		r.add(KindConfig, name, id, state)
	}
	return err
}

// conflict hides what kind of error it is.
type conflict struct{ err error }

func (c *conflict) Error() string { return c.err.Error() }

// enable switches the integration on, and waits until it is.
func (p *Provisioner) enable(ctx context.Context, r *Report, in genesys.Integration) error {
	state := Unchanged
	if in.IntendedState != genesys.Enabled {
		state = "enabled"
		if _, err := p.api.SetIntegrationState(ctx, in.ID, genesys.Enabled); err != nil {
			return err
		}
	}
	if !p.dry {
		err := p.waits.until(ctx, "the integration becomes active", func(ctx context.Context) (bool, error) {
			now, err := p.api.Integration(ctx, in.ID)
			if err != nil {
				return false, err
			}
			if now.ReportedState != nil && now.ReportedState.Code == "ERROR" {
				return false, errors.New("the integration cannot be enabled: Genesys reports the state ERROR; look at it under Admin > Integrations")
			}
			return now.IntendedState == genesys.Enabled && (now.ReportedState == nil || now.ReportedState.Code == "" || now.ReportedState.Code == "ACTIVE"), nil
		})
		if err != nil {
			return err
		}
	}
	if state != Unchanged {
		r.add(KindIntegration, in.Name, in.ID, state)
	}
	return nil
}
