package command

import (
	"net/http"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func newAlive() *cobra.Command {
	var address, config, adapter string
	cmd := &cobra.Command{
		Use:   "alive",
		Short: "Says whether the running process answers",
		Long: `
Says whether the running process answers, by its exit code, 0 or 1, with the
reason for a 1: for the health check of a container. It asks the admin API for
next to nothing, and nothing of the store and the queue: a process whose RabbitMQ
is away says so to its senders, or keeps their events, and must not be killed for
it. What it can do at the moment is on /readyz.`,
		Example: "  hookgate alive --address unix//run/hookgate/admin.sock",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			at, err := caddycmd.DetermineAdminAPIAddress(address, nil, config, adapter)
			if err != nil {
				return err
			}
			resp, err := caddycmd.AdminAPIRequest(at, http.MethodGet, "/config/admin", nil, nil)
			if err != nil {
				return explain(at, err)
			}
			return resp.Body.Close()
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&address, "address", "", "address of the admin API (default: that of the config, else localhost:2019)")
	flags.StringVarP(&config, "config", "c", "", "config file to read the address of the admin API from")
	flags.StringVarP(&adapter, "adapter", "a", "", "config adapter of that file")
	return cmd
}
