package supervise

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"tikakosh/internal/fault"
)

// separated makes a role run as nobody where this test may do so; elsewhere it
// tests the path of an installation without root.
func separated(r Role) Role {
	if os.Geteuid() == 0 {
		r.Separate, r.UID, r.GID = true, 65534, 65534
	}
	return r
}

func TestChildHasOnlyWhatIsListed(t *testing.T) {
	t.Setenv("TIKAKOSH_SECRET_OF_THE_PARENT", "1")
	left, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer left.Close()
	if _, err := unix.FcntlInt(left.Fd(), unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
	r := newReports(t)
	web := separated(r.role("facts", "web"))
	web.Dir = "/"
	uid, gid, groups := os.Getuid(), os.Getgid(), fmt.Sprint(mustGroups(t))
	if web.Separate {
		web.Groups = []int{65534, 64399}
		uid, gid, groups = 65534, 65534, "[64399 65534]"
	}
	stop := run(t, &Supervisor{Roles: []Role{web}})
	got := r.await("web facts ")
	want := fmt.Sprintf(`uid=%d gid=%d groups=%s env=["TIKAKOSH_READY_FD=4" "TZ=UTC"] nnp=true`, uid, gid, groups)
	if !strings.HasPrefix(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !strings.HasSuffix(got, "dir=/") || (web.Separate && !strings.Contains(got, "caps=0000000000000000 ")) {
		t.Error(got)
	}
	// Descriptor 3 is the report, 4 the ready pipe, 5 the parent's; the program's
	// own is closed. report has made a duplicate of 3.
	_, files, _ := strings.Cut(got, "files=[")
	to := map[string]string{}
	for _, f := range strings.Fields(strings.NewReplacer(":[", ":", "]", "").Replace(strings.Split(files, " dir=")[0])) {
		n, target, _ := strings.Cut(f, "=")
		to[n] = target
	}
	if to["3"] == "" || to["4"] == "" || to["5"] == "" {
		t.Errorf("descriptors %v", to)
	}
	for n, target := range to {
		if n > "5" && target != to["3"] || len(n) > 1 {
			t.Errorf("descriptor %s is %s", n, target)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	r.end()
}

func mustGroups(t *testing.T) []int {
	t.Helper()
	g, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestHardened lets a process of the same user read an open process and a
// hardened one. As root the three run as nobody, since root reads all.
func TestHardened(t *testing.T) {
	r := newReports(t)
	stop := run(t, &Supervisor{Roles: []Role{separated(r.role("run", "open")), separated(r.role("hardened", "vault"))}})
	open, vault := r.awaitPID("open"), r.awaitPID("vault")
	r.await("vault ready")
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", vault))
	if err != nil || !strings.Contains(string(limits), "Max core file size        0                    0 ") {
		t.Errorf("core limit: %v\n%s", err, limits)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", vault))
	if err != nil || !strings.Contains(string(status), "NoNewPrivs:\t1") {
		t.Errorf("%v\n%s", err, status)
	}
	spying := newReports(t)
	done := run(t, &Supervisor{Roles: []Role{separated(spying.role("spy", "spy", fmt.Sprint(open), fmt.Sprint(vault)))}})
	if got := spying.await("spy environ="); got != "true memory=true" {
		t.Errorf("an open process: environ=%s; the test shows nothing", got)
	}
	if got := spying.await("spy environ="); got != "false memory=false" {
		t.Errorf("the hardened process: environ=%s", got)
	}
	if err := done(); err != nil {
		t.Error(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestIdentities(t *testing.T) {
	for _, base := range []int{-1, 0, 999, 1 << 31} {
		if _, err := Identities(base); !fault.Is(err, fault.Invalid) {
			t.Errorf("base %d: %v", base, err)
		}
	}
	u, err := Identities(DefaultUserBase)
	if err != nil || u.Separated != (os.Geteuid() == 0) {
		t.Fatal(u, err)
	}
	u.Separated = true
	seen := map[int]string{}
	gids := map[string]int{}
	for _, role := range []string{"vault", "courier", "web", "worker"} {
		i, err := u.Of(role)
		if err != nil || i.UID <= DefaultUserBase || len(i.Groups) != 0 {
			t.Errorf("%s: %+v %v", role, i, err)
		}
		if other, taken := seen[i.UID]; taken {
			t.Errorf("%s and %s are the same user", role, other)
		}
		seen[i.UID], gids[role] = role, i.GID
	}
	if gids["web"] != gids["worker"] || gids["vault"] == gids["web"] || gids["courier"] == gids["web"] || gids["vault"] == gids["courier"] {
		t.Errorf("groups %v", gids)
	}
	web := Role{Name: "web"}
	if err := u.Assign(&web); err != nil || !web.Separate || web.UID != 64303 || web.GID != 64305 {
		t.Errorf("%+v %v", web, err)
	}
	u.Separated = false
	if err := u.Assign(&web); err != nil || web.Separate || web.UID != os.Getuid() {
		t.Errorf("%+v %v", web, err)
	}
	if err := u.Assign(&Role{Name: "stranger"}); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

func TestPrepareDir(t *testing.T) {
	root := t.TempDir()
	uid, gid := -1, -1
	if os.Geteuid() == 0 {
		uid, gid = 64303, 64305
	}
	dir := filepath.Join(root, "data", "registry")
	for range 2 {
		if err := PrepareDir(dir, uid, gid, os.ModeSetgid|0o770); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(dir)
		if err != nil || info.Mode() != os.ModeDir|os.ModeSetgid|0o770 {
			t.Errorf("%v %v", info.Mode(), err)
		}
		if st := info.Sys().(*syscall.Stat_t); uid >= 0 && (int(st.Uid) != uid || int(st.Gid) != gid) {
			t.Errorf("owner %d:%d", st.Uid, st.Gid)
		}
	}
	if info, err := os.Stat(filepath.Dir(dir)); err != nil || info.Mode().Perm() != 0o711 {
		t.Errorf("parent %v %v", info.Mode(), err)
	}
	link, file := filepath.Join(root, "link"), filepath.Join(root, "file")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{link, file} {
		if err := PrepareDir(bad, uid, gid, 0o777); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := PrepareDir(filepath.Join(file, "below"), uid, gid, 0o700); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}
