package servers

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// ListenTLS has the brokers that are started until undo is called listen with
// TLS, too, and show a certificate for localhost: at addr, with their settings
// for it in a file in dir. Only one of them may run.
func ListenTLS(dir string, a *Authority, shown Certificate) (addr string, undo func(), err error) {
	if err := a.Issue(shown, "localhost"); err != nil {
		return "", nil, err
	}
	ports, err := freePorts(1)
	if err != nil {
		return "", nil, err
	}
	path := filepath.Join(dir, "advanced.config")
	settings := fmt.Appendf(nil, `[{rabbit, [
  {ssl_listeners, [{"127.0.0.1", %s}]},
  {ssl_options, [{cacertfile, %q}, {certfile, %q}, {keyfile, %q}, {verify, verify_peer}, {fail_if_no_peer_cert, false}]}
]}].
`, ports[0], a.File, shown.File, shown.Key)
	if err := os.WriteFile(path, settings, 0o600); err != nil {
		return "", nil, err
	}
	const variable = "RABBITMQ_ADVANCED_CONFIG_FILE"
	return net.JoinHostPort("localhost", ports[0]), func() { os.Unsetenv(variable) }, os.Setenv(variable, path)
}
