package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"tikakosh/internal/edge"
	"tikakosh/internal/portal/staff"
)

// listenStaff opens the address of the staff client, where there is one.
func (in *installation) listenStaff(ctx context.Context) error {
	if in.flags.StaffListen == "" {
		return nil
	}
	var lc net.ListenConfig
	var err error
	if in.staff, err = lc.Listen(ctx, "tcp", in.flags.StaffListen); err != nil {
		return cannotListen("the staff client's address", "--staff-listen", err)
	}
	if len(in.flags.StaffOrigin) == 0 && in.localClient() == "" {
		return badConfig("--staff-listen wants --staff-origin, as in https://staff.vaccination.example: passkeys are good for a name")
	}
	return nil
}

// localClient is the staff client's origin at a trial on this machine, "" elsewhere.
func (in *installation) localClient() string {
	if in.staff == nil {
		return ""
	}
	a, ok := in.staff.Addr().(*net.TCPAddr)
	if !ok || !a.IP.IsLoopback() || localStaffOrigin(in.publicURL()) == "" {
		return ""
	}
	return fmt.Sprint("http://localhost:", a.Port)
}

// staffOrigins says where staff sign in, where nobody said: at a trial on this machine,
// at the staff client and at the API's own port. Links lead to the first.
func (in *installation) staffOrigins() {
	if len(in.flags.StaffOrigin) > 0 {
		return
	}
	for _, o := range []string{in.localClient(), localStaffOrigin(in.publicURL())} {
		if o != "" {
			in.flags.StaffOrigin = append(in.flags.StaffOrigin, o)
		}
	}
}

// staffFile adds the staff client's listener to what the web role inherits.
func (in *installation) staffFile(names []string, files []*os.File) ([]string, []*os.File, error) {
	if in.staff == nil {
		return names, files, nil
	}
	f, err := in.staff.(*net.TCPListener).File()
	if err != nil {
		return names, files, err
	}
	return append(names, "staff"), append(files, f), nil
}

// announceClient prints where the staff client is, and which one it is.
func (in *installation) announceClient() {
	if in.staff != nil && len(in.flags.StaffOrigin) > 0 {
		fmt.Fprintf(in.out, "client  %s/  (for staff; sha256:%s)\n", in.flags.StaffOrigin[0], staff.Sum())
	}
}

// serveStaff serves the staff client in the background, where the web role was handed a
// listener for it. What it returns is closed when that has ended; a listener that fails
// ends the role, which is then started anew.
func serveStaff(ctx context.Context, end func(), srv *edge.Server, api string, now func() time.Time, departments func(context.Context) []staff.Department, log *slog.Logger) (<-chan struct{}, error) {
	ended := make(chan struct{})
	f, ok := inheritedIf("staff")
	if !ok {
		close(ended)
		return ended, nil
	}
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(ended)
		if err := srv.RunStaff(ctx, ln, staff.Handler(api, now, departments)); err != nil {
			log.Error("the staff client's listener ended", "error", err.Error())
			end()
		}
	}()
	return ended, nil
}
