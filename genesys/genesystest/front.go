package genesystest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// token is one that was issued.
type token struct {
	client  string
	expires time.Time
}

func dialFrom(addr netip.Addr) func(context.Context, string, string) (net.Conn, error) {
	d := &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 0))}
	return d.DialContext
}

// front is what every request passes: it is noted, given an ID, and spoiled
// where a fault is set.
func (s *Server) front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.mu.Lock()
		w.Header().Set("ININ-Correlation-Id", s.id())
		call := Call{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Body: string(body)}
		if t, ok := s.tokens[bearer(r)]; ok {
			call.Client = t.client
		}
		s.calls = append(s.calls, call)
		f := s.takeFault(r)
		s.mu.Unlock()
		if f == nil {
			next.ServeHTTP(w, r)
			return
		}
		f.serve(w, r, next)
	})
}

func bearer(r *http.Request) string {
	t, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return t
}

// issue answers at the login.
func (s *Server) issue(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	refuse := func(description string) {
		answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_client", "description": description, "error_description": description})
	}
	if r.PostFormValue("grant_type") != "client_credentials" {
		answer(w, http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type"})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.opts.Clients, func(c Client) bool { return c.ID == id })
	switch {
	case i < 0:
		refuse("client not found")
		return
	case s.opts.Clients[i].Secret != secret:
		refuse("authentication failed")
		return
	}
	t := fmt.Sprintf("token-%s-%d", id, len(s.tokens)+1)
	s.tokens[t] = token{client: id, expires: time.Now().Add(s.opts.TokenLife)}
	answer(w, http.StatusOK, map[string]any{"access_token": t, "token_type": "bearer", "expires_in": int(s.opts.TokenLife.Seconds())})
}

// ExpireTokens makes every token that was issued so far no good.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.tokens {
		s.tokens[t] = token{client: s.tokens[t].client}
	}
}

// handle is a call of the API: with a good token, and the permission that it
// needs. fn runs with the server locked.
func (s *Server) handle(mux *http.ServeMux, pattern, permission string, fn func(*http.Request) (int, any)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		status, body := s.admit(r, permission)
		if status == 0 {
			status, body = fn(r)
		}
		s.mu.Unlock()
		if run, ok := body.(func() (int, any)); ok { // what takes its time does not hold up others
			status, body = run()
		}
		w.Header().Set("inin-ratelimit-count", "1")
		w.Header().Set("inin-ratelimit-allowed", "300")
		w.Header().Set("inin-ratelimit-reset", "60")
		answer(w, status, body)
	})
}

// admit returns what a request is refused with, and 0 where it is not.
func (s *Server) admit(r *http.Request, permission string) (int, any) {
	given := bearer(r)
	t, ok := s.tokens[given]
	switch {
	case given == "":
		return http.StatusUnauthorized, problem("authentication.required", "No authentication bearer token specified in authorization header.")
	case !ok:
		return http.StatusUnauthorized, problem("bad.credentials", "Invalid login credentials.")
	case !time.Now().Before(t.expires):
		return http.StatusUnauthorized, problem("credentials.expired", "The supplied credentials have expired.")
	}
	for _, c := range s.opts.Clients {
		if c.ID == t.client && (permission == "" || slices.Contains(c.Permissions, "*") || slices.Contains(c.Permissions, permission)) {
			return 0, nil
		}
	}
	return missing(permission)
}

// missing is the answer to a client without a permission.
func missing(permission string) (int, any) {
	return http.StatusForbidden, problem("missing.any.permissions",
		"Unable to perform the requested action. You must have at least one of the following permissions assigned: "+permission)
}

// errorBody is ErrorBody.
type errorBody struct {
	Message   string `json:"message"`
	Code      string `json:"code"`
	Status    int    `json:"status"`
	ContextID string `json:"contextId"`
	Details   []any  `json:"details"`
	Errors    []any  `json:"errors"`
}

func problem(code, message string) *errorBody {
	return &errorBody{Message: message, Code: code, Details: []any{}, Errors: []any{}}
}

// answer writes a body in JSON; nil for none.
func answer(w http.ResponseWriter, status int, body any) {
	if e, ok := body.(*errorBody); ok {
		e.Status, e.ContextID = status, w.Header().Get("ININ-Correlation-Id")
	}
	if body == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
