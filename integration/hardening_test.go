package integration

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Whoever may use the socket may change everything, so it is the way in that
// production.Caddyfile has.
func TestTheCommandsReachAnAdminAPIOnASocket(t *testing.T) {
	caddyfile := readFile(t, "../deploy/production.Caddyfile")
	if !strings.Contains(caddyfile, "\tadmin unix//run/hookgate/admin.sock\n") {
		t.Error("the admin API of production.Caddyfile is not on a socket")
	}
	s := start(t, site(patientHook()))
	socket := filepath.Join(t.TempDir(), "admin.sock")
	sam := s.localize(s.Expand(site(patientHook())))
	sam.config["admin"] = object{"listen": "unix/" + socket + "|0200", "config": object{"persist": false}}
	if err := s.loadJSON(sam.config); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"alive"}, {"queue"}, {"queue", "peek"}, {"dead-letters", "list"}} {
		out, stderr, code := command(t, append(args, "--address", "unix/"+socket)...)
		if code != 0 {
			t.Errorf("%v: exit code %d\n%s%s", args, code, out, stderr)
		}
	}
	if _, stderr, code := command(t, "alive", "--address", "unix/"+socket+"2"); code != 1 || !strings.Contains(stderr, "asking the admin API") {
		t.Errorf("a socket that is not there: exit code %d, %s", code, stderr)
	}
	s.Kill() // its way in is gone
}

// unitSettings returns the last value of each setting of a unit.
func unitSettings(t *testing.T, file string) map[string]string {
	t.Helper()
	values := map[string]string{}
	for line := range strings.Lines(readFile(t, file)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '[' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			t.Fatalf("%s: %q is no setting", file, line)
		}
		values[name] = value
	}
	return values
}

func TestTheUnitsGiveNoMoreThanIsNeeded(t *testing.T) {
	for file, own := range map[string]map[string]string{
		"../deploy/hookgate.service":          {"User": "hookgate", "CapabilityBoundingSet": "CAP_NET_BIND_SERVICE", "AmbientCapabilities": "CAP_NET_BIND_SERVICE", "StateDirectoryMode": "0700", "RuntimeDirectoryMode": "0700"},
		"../deploy/hookgate-consumer.service": {"User": "hookgate-consumer", "CapabilityBoundingSet": "", "PrivateUsers": "yes"},
	} {
		got := unitSettings(t, file)
		for name, want := range own {
			if value, ok := got[name]; !ok || value != want {
				t.Errorf("%s: %s is %q, want %q", file, name, value, want)
			}
		}
		for _, name := range []string{
			"NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateMounts", "ProtectClock", "ProtectControlGroups",
			"ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "RestrictNamespaces", "RestrictRealtime",
			"RestrictSUIDSGID", "RemoveIPC", "LockPersonality", "MemoryDenyWriteExecute",
		} {
			if got[name] != "yes" {
				t.Errorf("%s: %s is %q", file, name, got[name])
			}
		}
		for name, want := range map[string]string{
			"ProtectSystem": "strict", "UMask": "0077", "LimitCORE": "0", "SystemCallArchitectures": "native", "Restart": "on-failure",
			"RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX AF_NETLINK",
		} {
			if got[name] != want {
				t.Errorf("%s: %s is %q, want %q", file, name, got[name], want)
			}
		}
		if got["MemoryMax"] == "" || got["TasksMax"] == "" {
			t.Errorf("%s has no bounds", file)
		}
	}
}

// instructions are those of a Dockerfile, each on one line.
func instructions(t *testing.T) (list [][2]string) {
	t.Helper()
	text := strings.ReplaceAll(readFile(t, "../deploy/Dockerfile"), "\\\n", " ")
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		list = append(list, [2]string{name, strings.TrimSpace(rest)})
	}
	return list
}

func TestTheContainerHasNoRootAndNoShell(t *testing.T) {
	known := regexp.MustCompile(`^(FROM|WORKDIR|COPY|RUN|ENV|VOLUME|USER|EXPOSE|STOPSIGNAL|HEALTHCHECK|ENTRYPOINT|CMD)$`)
	last := map[string]string{}
	for _, i := range instructions(t) {
		if !known.MatchString(i[0]) {
			t.Errorf("%s is no instruction that is used here", i[0])
		}
		if i[0] == "FROM" {
			clear(last)
		}
		if i[0] == "RUN" && strings.HasPrefix(last["FROM"], "gcr.io/distroless/") {
			t.Error("there is no shell to RUN anything")
		}
		last[i[0]] = i[1]
	}
	if !regexp.MustCompile(`^[1-9][0-9]+:[1-9][0-9]+$`).MatchString(last["USER"]) {
		t.Errorf("the user is %q: Kubernetes takes a number only for one that is not root", last["USER"])
	}
	if !strings.Contains(last["COPY"], "--chown="+last["USER"]+" ") {
		t.Errorf("/data is not the user's: %s", last["COPY"])
	}
	if !strings.Contains(last["HEALTHCHECK"], `CMD ["/usr/bin/hookgate", "alive", `) || !strings.HasPrefix(last["ENTRYPOINT"], `["`) {
		t.Errorf("not in the form without a shell: %v", last)
	}
}
