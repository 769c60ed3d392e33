package genesystest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/hookgate/hookgate/genesys"
)

// CredentialKey is the place of a credential in the configuration of a web
// services integration.
const CredentialKey = "basicAuth"

// org is what there is in the organization.
type org struct {
	integrations []*genesys.Integration
	configs      map[string]*genesys.IntegrationConfig
	credentials  []*genesys.Credential // with their fields
	actions      []*genesys.Action
	messagings   []*messaging
}

func newOrg() org { return org{configs: make(map[string]*genesys.IntegrationConfig)} }

// Org is a copy of what there is in the organization.
type Org struct {
	Integrations []genesys.Integration
	Configs      []genesys.IntegrationConfig // of the integrations, in their order
	Credentials  []genesys.Credential        // with their fields
	Actions      []genesys.Action
	Messagings   []genesys.OpenMessagingSettings
}

// Org returns what there is in the organization now.
func (s *Server) Org() Org {
	s.mu.Lock()
	defer s.mu.Unlock()
	var o Org
	for _, in := range s.org.integrations {
		o.Integrations = append(o.Integrations, *in)
		o.Configs = append(o.Configs, *s.org.configs[in.ID])
	}
	for _, c := range s.org.credentials {
		o.Credentials = append(o.Credentials, *c)
	}
	for _, a := range s.org.actions {
		o.Actions = append(o.Actions, *a)
	}
	for _, m := range s.org.messagings {
		o.Messagings = append(o.Messagings, m.settings)
	}
	return o
}

func (s *Server) routes(mux *http.ServeMux) {
	const (
		integration = "/api/v2/integrations"
		view, add   = "integrations:integration:view", "integrations:integration:add"
		edit, del   = "integrations:integration:edit", "integrations:integration:delete"
	)
	s.handle(mux, "GET /api/v2/ipranges", "", func(*http.Request) (int, any) {
		return http.StatusOK, map[string]any{"entities": slices.Clone(s.ranges)}
	})
	s.handle(mux, "GET "+integration, view, func(r *http.Request) (int, any) { return listing(r, s.org.integrations) })
	s.handle(mux, "POST "+integration, add, s.createIntegration)
	s.handle(mux, "GET "+integration+"/{id}", view, s.withIntegration(func(in *genesys.Integration, _ *http.Request) (int, any) {
		return http.StatusOK, *in
	}))
	s.handle(mux, "PATCH "+integration+"/{id}", edit, s.withIntegration(s.patchIntegration))
	s.handle(mux, "DELETE "+integration+"/{id}", del, s.withIntegration(s.deleteIntegration))
	s.handle(mux, "GET "+integration+"/types/{id}", view, integrationType)
	s.handle(mux, "GET "+integration+"/{id}/config/current", view, s.withIntegration(func(in *genesys.Integration, _ *http.Request) (int, any) {
		return http.StatusOK, *s.org.configs[in.ID]
	}))
	s.handle(mux, "PUT "+integration+"/{id}/config/current", edit, s.withIntegration(s.putConfig))

	s.handle(mux, "GET "+integration+"/credentials/listing", view, s.listCredentials)
	s.handle(mux, "POST "+integration+"/credentials", add, s.createCredential)
	s.handle(mux, "PUT "+integration+"/credentials/{id}", edit, s.updateCredential)
	s.handle(mux, "DELETE "+integration+"/credentials/{id}", del, func(r *http.Request) (int, any) {
		return remove(&s.org.credentials, func(c *genesys.Credential) bool { return c.ID == r.PathValue("id") })
	})

	s.actionRoutes(mux)
	s.messagingRoutes(mux)
}

// listing is a page of a listing by number.
func listing[T any](r *http.Request, all []*T) (int, any) {
	size, number := intOf(r, "pageSize", 25), intOf(r, "pageNumber", 1)
	from := min((number-1)*size, len(all))
	page := make([]T, 0, size)
	for _, e := range all[from:min(from+size, len(all))] {
		page = append(page, *e)
	}
	return http.StatusOK, map[string]any{
		"entities": page, "pageSize": size, "pageNumber": number, "total": len(all), "pageCount": (len(all) + size - 1) / size,
	}
}

func intOf(r *http.Request, name string, otherwise int) int {
	if n, err := strconv.Atoi(r.URL.Query().Get(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// decode reads a body, of which nothing may be unknown.
func decode(r *http.Request, into any) (int, any) {
	if media := r.Header.Get("Content-Type"); !strings.HasPrefix(media, "application/json") {
		return http.StatusUnsupportedMediaType, problem("unsupported.media.type", "Unsupported media type")
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return http.StatusBadRequest, problem("bad.request", "The request could not be understood by the server due to malformed syntax: "+err.Error())
	}
	return 0, nil
}

func notFound(what, id string) (int, any) {
	return http.StatusNotFound, problem("not.found", fmt.Sprintf("%s not found: %s", what, id))
}

// remove takes one out of a list.
func remove[T any](list *[]*T, is func(*T) bool) (int, any) {
	i := slices.IndexFunc(*list, is)
	if i < 0 {
		return notFound("Entity", "")
	}
	*list = slices.Delete(*list, i, i+1)
	return http.StatusNoContent, nil
}

func integrationType(r *http.Request) (int, any) {
	if r.PathValue("id") != genesys.WebServices {
		return notFound("Integration type", r.PathValue("id"))
	}
	return http.StatusOK, genesys.IntegrationType{
		ID: genesys.WebServices,
		Credentials: map[string]genesys.CredentialSpec{
			CredentialKey: {Types: []string{"basicAuth", genesys.UserDefined, "userDefinedOAuth"}},
		},
	}
}
