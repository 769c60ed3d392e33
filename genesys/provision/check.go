package provision

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hookgate/hookgate/genesys"
	"github.com/hookgate/hookgate/genesys/ipranges"
)

// State is how a look at something went.
type State string

// The states.
const (
	OK      State = "ok"
	Warning State = "warning"
	Missing State = "missing" // a permission that no job asked for needs
	Failed  State = "failed"
)

// Finding is what was found of one thing.
type Finding struct {
	What   string `json:"what"`
	State  State  `json:"state"`
	Detail string `json:"detail"`
}

// CheckOptions are those of Check.
type CheckOptions struct {
	// Client is the OAuth client that is looked at. Required.
	Client *genesys.Client

	// Jobs are those that the client is to be able to do. Default: none; what it
	// may do is shown all the same.
	Jobs []Job

	// URL is that of a hook. Default: none is looked at.
	URL string

	// HTTP asks the hook. Default: one with the system's authorities.
	HTTP *http.Client
}

// Check looks whether a client is taken, what it may do, and whether a hook can
// be reached with a certificate that Genesys will take. It changes nothing, and
// sends no event.
func Check(ctx context.Context, o CheckOptions) []Finding {
	api := genesys.API{Sender: o.Client}
	var found []Finding
	if err := o.Client.CheckToken(ctx); err != nil {
		found = append(found, Finding{"token", Failed, err.Error()})
	} else {
		found = append(found, Finding{"token", OK, "the OAuth client is taken"}, checkRanges(ctx, api))
		found = append(found, checkRights(ctx, api, o.Jobs)...)
	}
	if o.URL != "" {
		found = append(found, checkHook(ctx, o)...)
	}
	return found
}

func checkRanges(ctx context.Context, api genesys.API) Finding {
	raw, err := api.IPRanges(ctx)
	if err != nil {
		return Finding{"ip ranges", Failed, err.Error()}
	}
	entries, err := ipranges.Read(raw)
	if err != nil {
		return Finding{"ip ranges", Failed, err.Error()}
	}
	var parts []string
	for _, service := range ipranges.Services(entries) {
		parts = append(parts, fmt.Sprintf("%s %d", service, len(ipranges.Select(entries, []string{service}))))
	}
	return Finding{"ip ranges", OK, strings.Join(parts, ", ")}
}

// checkRights tries what can be tried without changing anything: looking. The
// rest shows when it is needed.
func checkRights(ctx context.Context, api genesys.API, jobs []Job) []Finding {
	probes := []struct {
		permission string
		try        func(context.Context) error
	}{
		{viewIntegration, func(ctx context.Context) error { return api.Try(ctx, genesys.TryIntegrations) }},
		{viewAction, func(ctx context.Context) error { return api.Try(ctx, genesys.TryActions) }},
		{viewMessaging, func(ctx context.Context) error { return api.Try(ctx, genesys.TryOpenMessaging) }},
	}
	var found []Finding
	for _, probe := range probes {
		needed := slices.ContainsFunc(jobs, func(j Job) bool { return slices.Contains(Permissions(j), probe.permission) })
		err := probe.try(ctx)
		e, answered := errors.AsType[*genesys.Error](err)
		f := Finding{"permission " + probe.permission, OK, "it has it"}
		switch {
		case err == nil:
		case answered && e.Status == http.StatusForbidden && !needed:
			f.State, f.Detail = Missing, "which the addresses for the allowlist do not need"
		default:
			f.State, f.Detail = Failed, err.Error()
		}
		found = append(found, f)
	}
	for _, j := range jobs {
		var rest []string
		for _, permission := range Permissions(j) {
			if !strings.HasSuffix(permission, ":view") {
				rest = append(rest, permission)
			}
		}
		if len(rest) > 0 {
			found = append(found, Finding{
				"permissions for " + string(j), Warning,
				"whether it has " + strings.Join(rest, ", ") + " shows only when they are needed: no call tells it before",
			})
		}
	}
	return found
}
