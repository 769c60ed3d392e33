package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/caddymodule/telemetry"
)

// Drift is the answer of DriftPath.
type Drift struct {
	Since time.Time         `json:"since"` // when the process began to count
	Drift []telemetry.Drift `json:"drift"`
}

func (a *API) drift(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method %s is not allowed: use GET", r.Method)}
	}
	if _, err := app.Active(); err != nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err}
	}
	seen := telemetry.ProcessDrifts()
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(Drift{Since: seen.Since.UTC(), Drift: seen.List()})
}
