package provision

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// expiresSoon is when a certificate is warned of.
const expiresSoon = 14 * 24 * time.Hour

// checkHook asks a hook with GET, which it refuses: so no event is made.
func checkHook(ctx context.Context, o CheckOptions) []Finding {
	const what = "hook"
	if err := checkHookURL(o.URL); err != nil {
		return []Finding{{what, Failed, err.Error()}}
	}
	client := http.Client{Timeout: 15 * time.Second}
	if o.HTTP != nil {
		client.Transport = o.HTTP.Transport
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.URL, nil)
	if err != nil {
		return []Finding{{what, Failed, err.Error()}}
	}
	resp, err := client.Do(req)
	if err != nil {
		return []Finding{{"certificate", Failed, certificateError(err)}}
	}
	defer resp.Body.Close()
	found := []Finding{certificate(resp.TLS), answerOf(resp)}
	if u, err := url.Parse(o.URL); err == nil && u.Port() != "" && u.Port() != "443" {
		found = append(found, Finding{"port", Warning, "Open Messaging calls port 443 only; data actions call any"})
	}
	return found
}

// certificateError says what is wrong, in words for an administrator.
func certificateError(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	text := err.Error()
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return text + ": Genesys takes certificates of public authorities only"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return text + ": Genesys will refuse it too"
	}
	return "the hook cannot be reached from here: " + text
}

func certificate(state *tls.ConnectionState) Finding {
	if state == nil || len(state.PeerCertificates) == 0 {
		return Finding{"certificate", Failed, "there is none"}
	}
	c := state.PeerCertificates[0]
	f := Finding{"certificate", OK, fmt.Sprintf("of %s, good until %s, %s", c.Issuer.CommonName, c.NotAfter.UTC().Format(time.DateOnly), tls.VersionName(state.Version))}
	if time.Until(c.NotAfter) < expiresSoon {
		f.State = Warning
	}
	return f
}

// answerOf tells a hook's answer from others.
func answerOf(resp *http.Response) Finding {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var problem struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}
	if err == nil {
		err = json.Unmarshal(raw, &problem)
	}
	switch {
	case err != nil || problem.Code == "":
		return Finding{"hook", Failed, fmt.Sprintf("no hook answers there, but something else with the status %d: look at the path", resp.StatusCode)}
	case problem.Code == "method_not_allowed":
		return Finding{"hook", OK, "a hook answers, and lets this address in"}
	case problem.Code == "forbidden":
		return Finding{"hook", OK, "a hook answers, and refuses this address, as it should where it allows those of Genesys alone"}
	}
	return Finding{"hook", Failed, fmt.Sprintf("a hook answers %d %s: %s", resp.StatusCode, problem.Code, problem.Detail)}
}
