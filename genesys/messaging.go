package genesys

import (
	"context"
	"net/http"
	"net/url"
)

// The values of OpenMessaging.CreateStatus.
const (
	CreateInitiated = "Initiated"
	CreateCompleted = "Completed"
	CreateError     = "Error"
)

// OpenMessaging is an Open Messaging integration. In what Genesys answers the
// secret is left out here, though it is there.
type OpenMessaging struct {
	ID           string            `json:"id,omitempty"`
	Name         string            `json:"name,omitempty"`
	URL          string            `json:"outboundNotificationWebhookUrl,omitempty"`
	Headers      map[string]string `json:"webhookHeaders,omitempty"`
	Status       string            `json:"status,omitempty"`
	CreateStatus string            `json:"createStatus,omitempty"` // Initiated, Completed or Error
	CreateError  *ActionError      `json:"createError,omitempty"`
}

// OpenMessagingSettings are what an Open Messaging integration is made with.
type OpenMessagingSettings struct {
	Name    string            `json:"name"`
	URL     string            `json:"outboundNotificationWebhookUrl"`
	Secret  string            `json:"outboundNotificationWebhookSignatureSecretToken"` // at least 16 characters
	Headers map[string]string `json:"webhookHeaders,omitempty"`
}

const openMessagingPath = "/api/v2/conversations/messaging/integrations/open"

// OpenMessagings returns all Open Messaging integrations.
func (a API) OpenMessagings(ctx context.Context) ([]OpenMessaging, error) {
	return numbered[OpenMessaging](ctx, a, openMessagingPath, nil)
}

// OpenMessaging returns one.
func (a API) OpenMessaging(ctx context.Context, id string) (m OpenMessaging, err error) {
	return m, a.Send(ctx, &Request{Method: http.MethodGet, Path: messagingPath(id)}, &m)
}

// CreateOpenMessaging begins to make one: look at its CreateStatus until it is
// Completed.
func (a API) CreateOpenMessaging(ctx context.Context, s OpenMessagingSettings) (m OpenMessaging, err error) {
	return m, a.Send(ctx, &Request{Method: http.MethodPost, Path: openMessagingPath, Body: s}, &m)
}

// UpdateOpenMessaging writes the settings of one anew.
func (a API) UpdateOpenMessaging(ctx context.Context, id string, s OpenMessagingSettings) error {
	return a.Send(ctx, &Request{Method: http.MethodPatch, Path: messagingPath(id), Body: s}, nil)
}

// DeleteOpenMessaging removes one.
func (a API) DeleteOpenMessaging(ctx context.Context, id string) error {
	return a.Send(ctx, &Request{Method: http.MethodDelete, Path: messagingPath(id)}, nil)
}

func messagingPath(id string) string { return openMessagingPath + "/" + url.PathEscape(id) }
