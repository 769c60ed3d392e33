package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"
)

// SecretFile looks at a file with a secret: that it is there, and who may read
// it.
func SecretFile(path string) []Finding {
	const check = "secret.file"
	n := Notes{About: path}
	fi, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		n.Fail(check, "it is not there", "make it, with the rights 0600 for the user that runs the service")
	case err != nil:
		n.Skip(check, reason(err), "run this as the user that runs the service")
	case !fi.Mode().IsRegular():
		n.Fail(check, "it is no file", "write the path of a file with the secret alone")
	case runtime.GOOS == "windows": // has other rights
		n.OK(check, "it is there")
	case open(fi):
		n.Warn(check, fmt.Sprintf("its mode is %#o", fi.Mode().Perm()), "take the rights of others: chmod 0600, or 0640 and root as its owner for the group of the service")
	default:
		n.OK(check, fmt.Sprintf("its mode is %#o", fi.Mode().Perm()))
	}
	return n.List
}

// open reports whether others may get at a file. Root gives a service its secrets
// by the service's own group.
func open(fi os.FileInfo) bool {
	mode := fi.Mode().Perm()
	return mode&0o027 != 0 || mode&0o040 != 0 && !ownedByRoot(fi)
}

// maxListAge is how old a list of addresses may be that something keeps fresh.
const maxListAge = 7 * 24 * time.Hour

// ListFile looks at a file with the addresses of a hook's senders. about names
// the hook.
func ListFile(about, path string, now time.Time) []Finding {
	const check = "hook.allow_file"
	n := Notes{About: about}
	fi, err := os.Stat(path)
	if err != nil {
		n.Fail(check, fmt.Sprintf("%s: %s", path, reason(err)), "save the answer of Genesys Cloud's GET /api/v2/ipranges there: without a list the config does not load")
		return n.List
	}
	age := now.Sub(fi.ModTime())
	if age > maxListAge {
		n.Warn(check, fmt.Sprintf("%s is %d days old", path, int(age.Hours()/24)), "have a timer fetch it each day: a sender with a new address gets 403")
		return n.List
	}
	n.OK(check, path+" is fresh")
	return n.List
}

// reason is an error without the path that it is about.
func reason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}
