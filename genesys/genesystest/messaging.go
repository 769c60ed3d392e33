package genesystest

import (
	"net/http"
	"net/url"

	"github.com/hookgate/hookgate/genesys"
)

// messaging is an Open Messaging integration.
type messaging struct {
	id       string
	settings genesys.OpenMessagingSettings
	polls    int // until it is completed
	failed   bool
}

// FailMessaging makes the creation of Open Messaging integrations end in an
// error, or not any more.
func (s *Server) FailMessaging(fail bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failMessaging = fail
}

// document is what Genesys shows of one: the secret too.
func (m *messaging) document() map[string]any {
	doc := map[string]any{
		"id": m.id, "name": m.settings.Name, "status": "active", "createStatus": genesys.CreateCompleted,
		"webhookHeaders": m.settings.Headers, "recipient": map[string]string{"id": m.id},
	}
	doc["outboundNotificationWebhookUrl"] = m.settings.URL
	doc["outboundNotificationWebhookSignatureSecretToken"] = m.settings.Secret
	switch {
	case m.polls > 0:
		doc["createStatus"] = genesys.CreateInitiated
	case m.failed:
		doc["createStatus"] = genesys.CreateError
		doc["createError"] = problem("internal.error", "The integration could not be made.")
	}
	return doc
}

func (s *Server) messagingRoutes(mux *http.ServeMux) {
	const path = "/api/v2/conversations/messaging/integrations/open"
	s.handle(mux, "GET "+path, "messaging:integration:view", func(r *http.Request) (int, any) {
		var all []*map[string]any
		for _, m := range s.org.messagings {
			doc := m.document()
			all = append(all, &doc)
		}
		return listing(r, all)
	})
	s.handle(mux, "POST "+path, "messaging:integration:add", s.createMessaging)
	s.handle(mux, "GET "+path+"/{id}", "messaging:integration:view", s.withMessaging(func(m *messaging, _ *http.Request) (int, any) {
		doc := m.document()
		m.polls--
		return http.StatusOK, doc
	}))
	s.handle(mux, "PATCH "+path+"/{id}", "messaging:integration:edit", s.withMessaging(func(m *messaging, r *http.Request) (int, any) {
		var next genesys.OpenMessagingSettings
		if status, body := decode(r, &next); status != 0 {
			return status, body
		}
		if status, body := check(next); status != 0 {
			return status, body
		}
		m.settings = next
		return http.StatusOK, m.document()
	}))
	s.handle(mux, "DELETE "+path+"/{id}", "messaging:integration:delete", s.withMessaging(func(m *messaging, _ *http.Request) (int, any) {
		return remove(&s.org.messagings, func(other *messaging) bool { return other == m })
	}))
}

func (s *Server) withMessaging(fn func(*messaging, *http.Request) (int, any)) func(*http.Request) (int, any) {
	return func(r *http.Request) (int, any) {
		for _, m := range s.org.messagings {
			if m.id == r.PathValue("id") {
				return fn(m, r)
			}
		}
		return notFound("Open integration", r.PathValue("id"))
	}
}

func (s *Server) createMessaging(r *http.Request) (int, any) {
	m := &messaging{id: s.id(), polls: s.opts.Polls, failed: s.failMessaging}
	if status, body := decode(r, &m.settings); status != 0 {
		return status, body
	}
	if status, body := check(m.settings); status != 0 {
		return status, body
	}
	s.org.messagings = append(s.org.messagings, m)
	doc := m.document()
	doc["createStatus"] = genesys.CreateInitiated
	return http.StatusAccepted, doc
}

// check holds settings against Genesys's rules.
func check(settings genesys.OpenMessagingSettings) (int, any) {
	u, err := url.Parse(settings.URL)
	switch {
	case settings.Name == "" || err != nil || u.Scheme != "https" || u.Port() != "" && u.Port() != "443":
		return http.StatusBadRequest, problem("invalid.value", "The outbound notification webhook URL must be HTTPS on port 443.")
	case len(settings.Secret) < 16:
		return http.StatusBadRequest, problem("invalid.value", "The secret token ["+settings.Secret+"] is too short.")
	}
	return 0, nil
}
