package edge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// AdminGet reads JSON from the admin API.
func (e *Edge) AdminGet(path string, into any) {
	e.t.Helper()
	raw, err := e.AdminRead(path)
	if err != nil {
		e.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(raw), into); err != nil {
		e.t.Fatal(err)
	}
}

// AdminRead reads from the admin API.
func (e *Edge) AdminRead(path string) (string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	resp, err := client.Get("http://" + e.Admin + path)
	for n := 0; n < 5 && cutOff(err); n++ { // by the end of the admin server of an old config
		resp, err = client.Get("http://" + e.Admin + path)
	}
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("admin API: %s: %s", resp.Status, raw)
	}
	return string(raw), err
}

// cutOff reports whether a connection ended before its answer.
func cutOff(err error) bool { return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) }

// Reload loads a Caddyfile into the running program.
func (e *Edge) Reload(caddyfile string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequest(http.MethodPost, "http://"+e.Admin+"/load", strings.NewReader(e.Expand(caddyfile)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/caddyfile")
	req.Header.Set("Cache-Control", "must-revalidate") // also if nothing changed
	resp, err := client.Do(req)
	if cutOff(err) {
		// The old admin server may end before its answer is out. Loading the
		// same config once more says what became of it.
		return e.Reload(caddyfile)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		raw, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%s: %s", resp.Status, raw)
	}
	http.DefaultClient.CloseIdleConnections() // the old config closes them too
	return nil
}
