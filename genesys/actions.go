package genesys

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Action is a data action.
type Action struct {
	ID            string          `json:"id,omitempty"`
	Category      string          `json:"category,omitempty"`
	Name          string          `json:"name,omitempty"`
	IntegrationID string          `json:"integrationId,omitempty"`
	Secure        bool            `json:"secure"`
	Version       int             `json:"version,omitempty"`
	Contract      *ActionContract `json:"contract,omitempty"`
	Config        *ActionConfig   `json:"config,omitempty"`
}

// ActionContract says what goes into an action, and what comes out. It cannot
// be changed later.
type ActionContract struct {
	Input  InputContract  `json:"input"`
	Output OutputContract `json:"output"`
}

// InputContract has the schema of an action's input.
type InputContract struct {
	Schema json.RawMessage `json:"inputSchema"`
}

// OutputContract has the schema of an action's output.
type OutputContract struct {
	Schema json.RawMessage `json:"successSchema"`
}

// ActionConfig says what an action sends.
type ActionConfig struct {
	TimeoutSeconds int            `json:"timeoutSeconds,omitempty"` // 1 to 60
	Request        RequestConfig  `json:"request"`
	Response       ResponseConfig `json:"response"`
}

// RequestConfig is the request; the templates are in Velocity.
type RequestConfig struct {
	URL     string            `json:"requestUrlTemplate"`
	Type    string            `json:"requestType"`
	Body    string            `json:"requestTemplate"`
	Headers map[string]string `json:"headers"`
}

// ResponseConfig says what becomes of the answer.
type ResponseConfig struct {
	TranslationMap map[string]string `json:"translationMap"`
	Defaults       map[string]string `json:"translationMapDefaults"`
	Template       string            `json:"successTemplate"`
}

// ActionTest is what became of the test of an action.
type ActionTest struct {
	Success    bool             `json:"success"`
	Operations []ActionTestStep `json:"operations"`
	Error      *ActionError     `json:"error,omitempty"`
	Result     json.RawMessage  `json:"finalResult,omitempty"`
}

// ActionTestStep is one step of a test.
type ActionTestStep struct {
	Step    int             `json:"step"`
	Name    string          `json:"name"`
	Success bool            `json:"success"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *ActionError    `json:"error,omitempty"`
}

// ActionError says why a step failed.
type ActionError struct {
	Message string `json:"message"`
	Code    string `json:"code"`
	Status  int    `json:"status"`
}

const actionsPath = integrationsPath + "/actions"

// Actions returns the actions of a category, which is compared as a whole.
func (a API) Actions(ctx context.Context, category string) ([]Action, error) {
	all, err := numbered[Action](ctx, a, actionsPath, url.Values{"category": {category}})
	var found []Action
	for _, action := range all {
		if action.Category == category {
			found = append(found, action)
		}
	}
	return found, err
}

// Action returns one, with what it sends and its contract.
func (a API) Action(ctx context.Context, id string) (action Action, err error) {
	query := url.Values{"expand": {"contract"}, "includeConfig": {"true"}}
	return action, a.Send(ctx, &Request{Method: http.MethodGet, Path: actionPath(id), Query: query}, &action)
}

// CreateAction makes one, published at once.
func (a API) CreateAction(ctx context.Context, action Action) (made Action, err error) {
	return made, a.Send(ctx, &Request{Method: http.MethodPost, Path: actionsPath, Body: action}, &made)
}

// actionUpdate is what can be changed of an action.
type actionUpdate struct {
	Category string        `json:"category"`
	Name     string        `json:"name"`
	Version  int           `json:"version"`
	Config   *ActionConfig `json:"config"`
}

// UpdateAction changes what an action sends. Its version is the one that was
// read; its contract and its integration cannot be changed.
func (a API) UpdateAction(ctx context.Context, action Action) error {
	body := actionUpdate{action.Category, action.Name, action.Version, action.Config}
	return a.Send(ctx, &Request{Method: http.MethodPatch, Path: actionPath(action.ID), Body: body}, nil)
}

// DeleteAction removes one.
func (a API) DeleteAction(ctx context.Context, id string) error {
	return a.Send(ctx, &Request{Method: http.MethodDelete, Path: actionPath(id)}, nil)
}

// TestAction runs an action for real, and shows its steps.
func (a API) TestAction(ctx context.Context, id string, input any) (t ActionTest, err error) {
	req := &Request{Method: http.MethodPost, Path: actionPath(id) + "/test", Body: input, Slow: time.Minute}
	return t, a.Send(ctx, req, &t)
}

func actionPath(id string) string { return actionsPath + "/" + url.PathEscape(id) }
