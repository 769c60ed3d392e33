package genesystest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hookgate/hookgate/genesys"
)

func (s *Server) actionRoutes(mux *http.ServeMux) {
	const path = "/api/v2/integrations/actions"
	s.handle(mux, "GET "+path, "integrations:action:view", func(r *http.Request) (int, any) {
		var found []*genesys.Action
		for _, a := range s.org.actions {
			if category := r.URL.Query().Get("category"); category == "" || strings.Contains(a.Category, category) {
				found = append(found, &genesys.Action{ID: a.ID, Category: a.Category, Name: a.Name, IntegrationID: a.IntegrationID, Version: a.Version})
			}
		}
		return listing(r, found)
	})
	s.handle(mux, "POST "+path, "integrations:action:add", s.createAction)
	s.handle(mux, "GET "+path+"/{id}", "integrations:action:view", s.withAction(func(a *genesys.Action, r *http.Request) (int, any) {
		shown := *a
		if r.URL.Query().Get("expand") != "contract" {
			shown.Contract = nil
		}
		if r.URL.Query().Get("includeConfig") != "true" {
			shown.Config = nil
		}
		return http.StatusOK, shown
	}))
	s.handle(mux, "PATCH "+path+"/{id}", "integrations:action:edit", s.withAction(patchAction))
	s.handle(mux, "DELETE "+path+"/{id}", "integrations:action:delete", s.withAction(func(a *genesys.Action, _ *http.Request) (int, any) {
		return remove(&s.org.actions, func(other *genesys.Action) bool { return other == a })
	}))
	s.handle(mux, "POST "+path+"/{id}/test", "integrations:action:execute", s.withAction(s.testAction))
}

func (s *Server) withAction(fn func(*genesys.Action, *http.Request) (int, any)) func(*http.Request) (int, any) {
	return func(r *http.Request) (int, any) {
		for _, a := range s.org.actions {
			if a.ID == r.PathValue("id") {
				return fn(a, r)
			}
		}
		return notFound("Action", r.PathValue("id"))
	}
}

func (s *Server) createAction(r *http.Request) (int, any) {
	var a genesys.Action
	if status, body := decode(r, &a); status != 0 {
		return status, body
	}
	switch {
	case a.Category == "" || len(a.Category) > 256 || a.Name == "" || len(a.Name) > 256:
		return http.StatusBadRequest, problem("invalid.value", "Category and name have 1 to 256 characters.")
	case !slices.ContainsFunc(s.org.integrations, func(in *genesys.Integration) bool { return in.ID == a.IntegrationID }):
		return http.StatusBadRequest, problem("bad.request", "The integration does not exist: "+a.IntegrationID)
	case a.Contract == nil || a.Config == nil || a.Config.TimeoutSeconds < 1 || a.Config.TimeoutSeconds > 60:
		return http.StatusBadRequest, problem("bad.request", "An action has a contract, and a config with a timeout of 1 to 60 seconds.")
	}
	a.ID, a.Version = s.id(), 1
	s.org.actions = append(s.org.actions, &a)
	return http.StatusOK, a
}

func patchAction(a *genesys.Action, r *http.Request) (int, any) {
	var change struct {
		Category string                `json:"category"`
		Name     string                `json:"name"`
		Version  int                   `json:"version"`
		Config   *genesys.ActionConfig `json:"config"`
	}
	if status, body := decode(r, &change); status != 0 {
		return status, body
	}
	if change.Version != a.Version {
		return http.StatusBadRequest, problem("bad.request", fmt.Sprintf("The version %d does not match the current version %d", change.Version, a.Version))
	}
	a.Category, a.Name, a.Config = change.Category, change.Name, change.Config
	a.Version++
	return http.StatusOK, *a
}

// testAction really calls what the action calls.
func (s *Server) testAction(a *genesys.Action, r *http.Request) (int, any) {
	var input map[string]any
	if status, body := decode(r, &input); status != 0 {
		return status, body
	}
	i := slices.IndexFunc(s.org.integrations, func(in *genesys.Integration) bool { return in.ID == a.IntegrationID })
	if i < 0 || s.org.integrations[i].IntendedState != genesys.Enabled {
		return http.StatusBadRequest, problem("bad.request", "The integration is not active.")
	}
	scope := map[string]map[string]any{"input": input, "credentials": {}}
	for _, ref := range s.org.configs[a.IntegrationID].Credentials {
		for _, c := range s.org.credentials {
			if c.ID == ref.ID {
				for k, v := range c.Fields {
					scope["credentials"][k] = v
				}
			}
		}
	}
	config, contract, outbound := *a.Config, *a.Contract, *s.opts.Outbound
	return 0, func() (int, any) { return http.StatusOK, run(&outbound, config, contract, scope) }
}

// run carries the steps of an action out.
func run(outbound *http.Client, config genesys.ActionConfig, contract genesys.ActionContract, scope map[string]map[string]any) genesys.ActionTest {
	var t genesys.ActionTest
	step := func(name string, fn func() (any, error)) bool {
		result, err := fn()
		op := genesys.ActionTestStep{Step: len(t.Operations) + 1, Name: name, Success: err == nil}
		op.Result, _ = json.Marshal(result)
		if err != nil {
			op.Error = &genesys.ActionError{Message: err.Error(), Code: "bad.request"}
			t.Error = op.Error
		}
		t.Operations = append(t.Operations, op)
		return err == nil
	}
	var (
		body   string
		answer []byte
	)
	t.Success = step("Validate input against schema", func() (any, error) { return nil, validate(contract.Input.Schema, scope["input"]) }) &&
		step("Resolve request template", func() (res any, err error) {
			body, err = render(config.Request.Body, scope)
			return map[string]string{"requestBody": body}, err
		}) &&
		step("Execute request", func() (any, error) {
			status, got, err := callOut(outbound, config, body, scope)
			answer = got
			return map[string]any{"statusCode": status, "body": string(got)}, err
		}) &&
		step("Apply output transformation", func() (any, error) {
			if !json.Valid(answer) {
				return nil, errors.New("the answer is not JSON")
			}
			return nil, nil
		})
	if t.Success {
		t.Result = answer
	}
	return t
}

// validate holds the input against the part of the schema that counts here.
func validate(schema json.RawMessage, input map[string]any) error {
	var s struct {
		Required   []string
		Properties map[string]struct{ Type string }
	}
	if err := json.Unmarshal(schema, &s); err != nil {
		return fmt.Errorf("the input schema: %w", err)
	}
	for _, name := range s.Required {
		if _, ok := input[name]; !ok {
			return fmt.Errorf("object has missing required properties ([%q])", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(input)) {
		want := s.Properties[name].Type
		if got := typeOf(input[name]); want != "" && got != want && (got != "number" || want != "integer") {
			return fmt.Errorf("instance type (%s) does not match any allowed primitive type (allowed: [%q]): %s", got, want, name)
		}
	}
	return nil
}

func typeOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case nil:
		return "null"
	}
	return "object"
}

// callOut sends the request of an action, without a Content-Length, as Genesys
// does.
func callOut(outbound *http.Client, config genesys.ActionConfig, body string, scope map[string]map[string]any) (int, []byte, error) {
	target, err := render(config.Request.URL, scope)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequest(config.Request.Type, target, io.NopCloser(bytes.NewReader([]byte(body))))
	if err != nil {
		return 0, nil, err
	}
	for name, template := range config.Request.Headers {
		value, err := render(template, scope)
		if err != nil {
			return 0, nil, err
		}
		req.Header.Set(name, value)
	}
	outbound.Timeout = time.Duration(config.TimeoutSeconds) * time.Second
	resp, err := outbound.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("request to the third party failed with the status %d", resp.StatusCode)
	}
	return resp.StatusCode, got, err
}
