package genesys_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// serve starts a server, and returns its URL.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}
