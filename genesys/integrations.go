package genesys

import (
	"context"
	"net/http"
	"net/url"
)

// WebServices is the integration type of data actions that call an HTTP
// endpoint.
const WebServices = "custom-rest-actions"

// The states of an integration.
const (
	Enabled  = "ENABLED"
	Disabled = "DISABLED"
)

// Integration is one of any type.
type Integration struct {
	ID            string          `json:"id,omitempty"`
	Name          string          `json:"name,omitempty"`
	Type          IntegrationType `json:"integrationType"`
	IntendedState string          `json:"intendedState,omitempty"`
	ReportedState *ReportedState  `json:"reportedState,omitempty"`
}

// ReportedState is the state that an integration is in, as opposed to the one
// that it is meant to be in.
type ReportedState struct {
	Code string `json:"code,omitempty"` // ACTIVE and the like
}

// IntegrationType is the kind of an integration.
type IntegrationType struct {
	ID          string                    `json:"id"`
	Credentials map[string]CredentialSpec `json:"credentials,omitempty"`
}

// CredentialSpec is a place for a credential in an integration's configuration.
type CredentialSpec struct {
	Required bool     `json:"required"`
	Types    []string `json:"credentialTypes"`
}

// IntegrationConfig is what an integration is set to.
type IntegrationConfig struct {
	Name        string                   `json:"name"`
	Version     int                      `json:"version"`
	Properties  map[string]any           `json:"properties"`
	Advanced    map[string]any           `json:"advanced"`
	Notes       string                   `json:"notes"`
	Credentials map[string]CredentialRef `json:"credentials"`
}

// CredentialRef names a credential.
type CredentialRef struct {
	ID string `json:"id"`
}

// UserDefined is the type of a credential with fields of one's own.
const UserDefined = "userDefined"

// Credential is a set of secrets. Genesys never shows the fields again.
type Credential struct {
	ID     string            `json:"id,omitempty"`
	Name   string            `json:"name"`
	Type   CredentialType    `json:"type"`
	Fields map[string]string `json:"credentialFields,omitempty"`
}

// CredentialType is the kind of a credential.
type CredentialType struct {
	Name string `json:"name"`
}

const (
	integrationsPath = "/api/v2/integrations"
	credentialsPath  = "/api/v2/integrations/credentials"
)

// Integrations returns all integrations.
func (a API) Integrations(ctx context.Context) ([]Integration, error) {
	return numbered[Integration](ctx, a, integrationsPath, nil)
}

// Integration returns one.
func (a API) Integration(ctx context.Context, id string) (in Integration, err error) {
	return in, a.Send(ctx, &Request{Method: http.MethodGet, Path: integrationsPath + "/" + url.PathEscape(id)}, &in)
}

// CreateIntegration makes one. It is disabled at first.
func (a API) CreateIntegration(ctx context.Context, name, typeID string) (in Integration, err error) {
	body := Integration{Name: name, Type: IntegrationType{ID: typeID}}
	return in, a.Send(ctx, &Request{Method: http.MethodPost, Path: integrationsPath, Body: body}, &in)
}

// SetIntegrationState says what state an integration is meant to be in.
func (a API) SetIntegrationState(ctx context.Context, id, state string) (in Integration, err error) {
	body := map[string]string{"intendedState": state}
	return in, a.Send(ctx, &Request{Method: http.MethodPatch, Path: integrationsPath + "/" + url.PathEscape(id), Body: body}, &in)
}

// DeleteIntegration removes one, with its actions.
func (a API) DeleteIntegration(ctx context.Context, id string) error {
	return a.Send(ctx, &Request{Method: http.MethodDelete, Path: integrationsPath + "/" + url.PathEscape(id)}, nil)
}

// IntegrationType returns what there is to know of a type.
func (a API) IntegrationType(ctx context.Context, id string) (t IntegrationType, err error) {
	return t, a.Send(ctx, &Request{Method: http.MethodGet, Path: integrationsPath + "/types/" + url.PathEscape(id)}, &t)
}

// IntegrationConfig returns the current configuration of an integration.
func (a API) IntegrationConfig(ctx context.Context, id string) (c IntegrationConfig, err error) {
	return c, a.Send(ctx, &Request{Method: http.MethodGet, Path: configPath(id)}, &c)
}

// SetIntegrationConfig writes a configuration; its version is the one that was
// read.
func (a API) SetIntegrationConfig(ctx context.Context, id string, c IntegrationConfig) error {
	return a.Send(ctx, &Request{Method: http.MethodPut, Path: configPath(id), Body: c}, nil)
}

func configPath(id string) string {
	return integrationsPath + "/" + url.PathEscape(id) + "/config/current"
}

// Credentials returns all credentials, without their fields.
func (a API) Credentials(ctx context.Context) ([]Credential, error) {
	return cursored[Credential](ctx, a, credentialsPath+"/listing")
}

// CreateCredential makes one.
func (a API) CreateCredential(ctx context.Context, c Credential) (made Credential, err error) {
	return made, a.Send(ctx, &Request{Method: http.MethodPost, Path: credentialsPath, Body: c}, &made)
}

// UpdateCredential writes the fields of one anew.
func (a API) UpdateCredential(ctx context.Context, id string, c Credential) error {
	return a.Send(ctx, &Request{Method: http.MethodPut, Path: credentialsPath + "/" + url.PathEscape(id), Body: c}, nil)
}

// DeleteCredential removes one.
func (a API) DeleteCredential(ctx context.Context, id string) error {
	return a.Send(ctx, &Request{Method: http.MethodDelete, Path: credentialsPath + "/" + url.PathEscape(id)}, nil)
}
