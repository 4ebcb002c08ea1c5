package supervise

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"tikakosh/internal/fault"
)

// DefaultUserBase is the number below the roles' users when none is given. It
// is above what distributions give to people and below 65534 (nobody); an
// operator whose machine uses these numbers gives another base.
const DefaultUserBase = 64300

// Identity is the user and group of one role.
type Identity struct {
	UID, GID int
	Groups   []int
}

// Users tells the identities of the roles of one installation.
type Users struct {
	Separated bool // false when not started as root: all roles run as this user
	base      int
}

// Identities assigns the roles' users from base on: vault base+1, courier
// base+2, web base+3, worker base+4 (also "seed"); web and worker share group
// base+5, the others have a group of their own number. Without root every role
// is this process's user and Separated is false; the caller says so in the log.
// fault.Invalid when base is not between 1000 and 2³¹-7.
func Identities(base int) (Users, error) {
	if base < 1000 || base > 1<<31-7 {
		return Users{}, fault.New(fault.Invalid, "uid-base", "the base of the roles' user numbers must be at least 1000")
	}
	return Users{Separated: os.Geteuid() == 0, base: base}, nil
}

// Of returns a role's identity; fault.Invalid for a role without one.
func (u Users) Of(role string) (Identity, error) {
	own := map[string]Identity{
		"vault":   {UID: u.base + 1, GID: u.base + 1},
		"courier": {UID: u.base + 2, GID: u.base + 2},
		"web":     {UID: u.base + 3, GID: u.base + 5},
		"worker":  {UID: u.base + 4, GID: u.base + 5},
		"seed":    {UID: u.base + 4, GID: u.base + 5},
	}
	i, ok := own[role]
	switch {
	case !ok:
		return Identity{}, fault.New(fault.Invalid, "role", "no user is planned for this role")
	case !u.Separated:
		return Identity{UID: os.Getuid(), GID: os.Getgid()}, nil
	}
	return i, nil
}

// Assign gives a role its identity; fault.Invalid for a role without one.
func (u Users) Assign(r *Role) error {
	i, err := u.Of(r.Name)
	if err != nil {
		return err
	}
	r.UID, r.GID, r.Groups, r.Separate = i.UID, i.GID, i.Groups, u.Separated
	return nil
}

// PrepareDir makes a folder, or takes an existing one, and gives it owner and
// mode (os.ModeSetgid included). A negative uid or gid leaves the owner. Parents
// are made with mode 0711: others may pass, not list. What is in the folder is
// not touched. It refuses a symbolic link and anything that is no folder:
// fault.Invalid; other failures are fault.Unavailable.
func PrepareDir(path string, uid, gid int, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return fault.Wrap(fault.Unavailable, err, "folder")
	}
	if err := os.Mkdir(path, 0o700); err != nil && !os.IsExist(err) {
		return fault.Wrap(fault.Unavailable, err, "folder")
	}
	// Through a descriptor, so that nothing can be put in its place meanwhile.
	f, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "folder")
	}
	defer f.Close()
	if uid >= 0 || gid >= 0 {
		if err := f.Chown(max(uid, -1), max(gid, -1)); err != nil {
			return fault.Wrap(fault.Unavailable, err, "owner of a folder")
		}
	}
	if err := f.Chmod(mode); err != nil {
		return fault.Wrap(fault.Unavailable, err, "mode of a folder")
	}
	return nil
}
