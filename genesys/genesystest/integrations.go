package genesystest

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/hookgate/hookgate/genesys"
)

// withIntegration finds the integration that a path names.
func (s *Server) withIntegration(fn func(*genesys.Integration, *http.Request) (int, any)) func(*http.Request) (int, any) {
	return func(r *http.Request) (int, any) {
		for _, in := range s.org.integrations {
			if in.ID == r.PathValue("id") {
				return fn(in, r)
			}
		}
		return notFound("Integration", r.PathValue("id"))
	}
}

func (s *Server) createIntegration(r *http.Request) (int, any) {
	var in genesys.Integration
	if status, body := decode(r, &in); status != 0 {
		return status, body
	}
	if in.Type.ID != genesys.WebServices {
		return http.StatusBadRequest, problem("invalid.value", "The integration type is not known.")
	}
	in.ID, in.IntendedState = s.id(), genesys.Disabled
	in.ReportedState = &genesys.ReportedState{Code: "INACTIVE"}
	s.org.integrations = append(s.org.integrations, &in)
	s.org.configs[in.ID] = &genesys.IntegrationConfig{Name: in.Name, Version: 1, Credentials: map[string]genesys.CredentialRef{}}
	return http.StatusOK, in
}

func (s *Server) patchIntegration(in *genesys.Integration, r *http.Request) (int, any) {
	var change struct {
		IntendedState string `json:"intendedState"`
	}
	if status, body := decode(r, &change); status != 0 {
		return status, body
	}
	switch change.IntendedState {
	case genesys.Enabled:
		in.ReportedState = &genesys.ReportedState{Code: "ACTIVE"}
	case genesys.Disabled:
		in.ReportedState = &genesys.ReportedState{Code: "INACTIVE"}
	default:
		return http.StatusBadRequest, problem("invalid.value", "Value ["+change.IntendedState+"] is not valid for field type [IntendedState].")
	}
	in.IntendedState = change.IntendedState
	return http.StatusOK, *in
}

func (s *Server) deleteIntegration(in *genesys.Integration, _ *http.Request) (int, any) {
	delete(s.org.configs, in.ID)
	s.org.actions = slices.DeleteFunc(s.org.actions, func(a *genesys.Action) bool { return a.IntegrationID == in.ID })
	return remove(&s.org.integrations, func(other *genesys.Integration) bool { return other == in })
}

func (s *Server) putConfig(in *genesys.Integration, r *http.Request) (int, any) {
	var c genesys.IntegrationConfig
	if status, body := decode(r, &c); status != 0 {
		return status, body
	}
	old := s.org.configs[in.ID]
	if c.Version != old.Version {
		return http.StatusConflict, problem("general.conflict", "The version is not the current one.")
	}
	for key, ref := range c.Credentials {
		if key != CredentialKey {
			return http.StatusBadRequest, problem("bad.request", "This integration has no credential "+key)
		}
		if !slices.ContainsFunc(s.org.credentials, func(c *genesys.Credential) bool { return c.ID == ref.ID }) {
			return notFound("Credential", ref.ID)
		}
	}
	c.Version++
	s.org.configs[in.ID] = &c
	in.Name = c.Name
	return http.StatusOK, c
}

func (s *Server) listCredentials(r *http.Request) (int, any) {
	size, after := intOf(r, "pageSize", 25), intOf(r, "after", 0)
	from := min(after, len(s.org.credentials))
	to := min(from+size, len(s.org.credentials))
	page := make([]genesys.Credential, 0, size)
	for _, c := range s.org.credentials[from:to] {
		page = append(page, genesys.Credential{ID: c.ID, Name: c.Name, Type: c.Type})
	}
	doc := map[string]any{"entities": page}
	if to < len(s.org.credentials) {
		doc["nextUri"] = "/api/v2/integrations/credentials/listing?after=" + strconv.Itoa(to)
	}
	return http.StatusOK, doc
}

func (s *Server) createCredential(r *http.Request) (int, any) {
	var c genesys.Credential
	if status, body := decode(r, &c); status != 0 {
		return status, body
	}
	if c.Type.Name == "" || len(c.Fields) == 0 {
		return http.StatusBadRequest, problem("bad.request", "A credential has a type and fields.")
	}
	c.ID = s.id()
	s.org.credentials = append(s.org.credentials, &c)
	return http.StatusOK, genesys.Credential{ID: c.ID, Name: c.Name, Type: c.Type}
}

func (s *Server) updateCredential(r *http.Request) (int, any) {
	var c genesys.Credential
	if status, body := decode(r, &c); status != 0 {
		return status, body
	}
	for _, old := range s.org.credentials {
		if old.ID != r.PathValue("id") {
			continue
		}
		if c.Type != old.Type {
			return http.StatusBadRequest, problem("bad.request", "The type of a credential cannot be changed.")
		}
		old.Name, old.Fields = c.Name, c.Fields
		return http.StatusOK, genesys.Credential{ID: old.ID, Name: old.Name, Type: old.Type}
	}
	return notFound("Credential", r.PathValue("id"))
}
