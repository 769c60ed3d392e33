package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// get asks the admin API, and decodes its answer.
func (f *queueFlags) get(path string, query url.Values, into any) (json.RawMessage, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(f.address, nil, f.config, f.adapter)
	if err != nil {
		return nil, err
	}
	if query != nil {
		path += "?" + query.Encode()
	}
	resp, err := caddycmd.AdminAPIRequest(address, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, explain(address, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("asking the admin API at %s: %w", address, err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return nil, fmt.Errorf("the admin API at %s answers something else: %w", address, err)
	}
	return raw, nil
}

// refusal is how Caddy's client tells of an answer that is an error.
var refusal = regexp.MustCompile(`(?s)HTTP (\d{3}): (.*)`)

// explain says what an error of the admin API means, and what to do.
func explain(address string, err error) error {
	m := refusal.FindStringSubmatch(err.Error())
	if m == nil {
		return fmt.Errorf("asking the admin API at %s: %w; is Hookgate running there? --address names another", address, err)
	}
	status, _ := strconv.Atoi(m[1]) // it is a number
	reason := m[2]
	var doc struct{ Error string }
	if json.Unmarshal([]byte(m[2]), &doc) == nil && doc.Error != "" {
		reason = doc.Error
	}
	switch {
	case status == http.StatusForbidden && strings.Contains(reason, rabbitmq.ErrMayNotRead.Error()):
		return fmt.Errorf("the RabbitMQ user of the process at %s may not read the queue, as it should be; %s", address, adviceRights)
	case status == http.StatusTooManyRequests:
		return fmt.Errorf("an event in the queue was delivered ten times or more: %s", adviceTired)
	}
	switch status {
	case http.StatusNotFound:
		return fmt.Errorf("the process at %s has no hooks: its config has no genesys_webhook, or it was built without Hookgate; --address names another", address)
	case http.StatusBadRequest:
		return fmt.Errorf("the process at %s does not understand the question (%s): it may be an older version, use the command of that one", address, printable(reason))
	case http.StatusForbidden:
		return fmt.Errorf("the admin API at %s does not let this address ask: name it as its config does, or add it to origins", address)
	case http.StatusNotImplemented:
		return errors.New("the events are not in this process: look into the queue that its config names, such as RabbitMQ's own pages")
	case http.StatusServiceUnavailable:
		return fmt.Errorf("the queue of the process at %s cannot be read now: %s; /readyz and its log say more", address, printable(reason))
	}
	return fmt.Errorf("the admin API at %s answers %d: %s", address, status, printable(reason))
}
