package machine

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Clock says how far the machine's clock can be trusted, as the kernel knows it
// (adjtimex(2)) and as the time service is configured. Offset is what the kernel
// still corrects; MaxError is the kernel's bound of the error against the
// reference, EstimatedError its estimate. Without a service that disciplines the
// clock they mean nothing and Synchronised is false.
type Clock struct {
	Synchronised   bool
	Offset         time.Duration
	EstimatedError time.Duration
	MaxError       time.Duration
	Service        string   // "chrony", "systemd-timesyncd", "ntpd", "none found"
	Servers        []string // as configured; empty when no configuration was found
	Counter        string   // the kernel's clock source, such as "tsc"
	Err            error    // the kernel did not answer
}

// ReadClock asks the kernel and reads the time service's configuration.
func ReadClock() Clock {
	c := Clock{Service: "none found"}
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	if err != nil {
		c.Err = err
		return c
	}
	const timeError = 5 // TIME_ERROR of adjtimex(2): not synchronised
	unit := time.Microsecond
	if tx.Status&unix.STA_NANO != 0 {
		unit = time.Nanosecond
	}
	c.Offset = time.Duration(tx.Offset) * unit
	c.EstimatedError, c.MaxError = time.Duration(tx.Esterror)*time.Microsecond, time.Duration(tx.Maxerror)*time.Microsecond
	c.Synchronised = state != timeError && tx.Status&unix.STA_UNSYNC == 0
	if raw, err := os.ReadFile("/sys/devices/system/clocksource/clocksource0/current_clocksource"); err == nil {
		c.Counter = strings.TrimSpace(string(raw))
	}
	c.Service, c.Servers = timeService("/")
	return c
}

// timeService finds the service below root that disciplines the clock.
func timeService(root string) (name string, servers []string) {
	type found struct{ name, mark, files, words string }
	for _, s := range []found{
		{"chrony", "run/chrony", "etc/chrony/chrony.conf etc/chrony.conf etc/chrony/conf.d/*.conf etc/chrony/sources.d/*.sources", "server pool peer refclock"},
		{"systemd-timesyncd", "run/systemd/timesync", "etc/systemd/timesyncd.conf etc/systemd/timesyncd.conf.d/*.conf", "NTP= FallbackNTP="},
		{"ntpd", "run/ntpd.pid", "etc/ntp.conf etc/ntpsec/ntp.conf", "server pool peer"},
	} {
		if _, err := os.Stat(filepath.Join(root, s.mark)); err != nil {
			continue
		}
		for _, pattern := range strings.Fields(s.files) {
			files, err := filepath.Glob(filepath.Join(root, pattern))
			if err != nil {
				continue
			}
			for _, f := range files {
				raw, err := os.ReadFile(f)
				if err != nil {
					continue
				}
				servers = append(servers, timeServers(raw, strings.Fields(s.words))...)
			}
		}
		return s.name, servers
	}
	return "none found", nil
}

// timeServers reads the servers of a time service's configuration, at most 16.
func timeServers(raw []byte, words []string) (out []string) {
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		for _, w := range words {
			rest, ok := strings.CutPrefix(line, w)
			if !ok || (!strings.HasSuffix(w, "=") && !strings.HasPrefix(rest, " ") && !strings.HasPrefix(rest, "\t")) {
				continue
			}
			names := strings.Fields(rest)
			if !strings.HasSuffix(w, "=") && len(names) > 1 {
				names = names[:1] // the rest are options
			}
			for _, n := range names {
				if len(out) < 16 && len(n) < 256 {
					out = append(out, n)
				}
			}
		}
	}
	return out
}
