// Package doctor checks a machine and a configuration before an installation is
// started on it, and says of everything that is not right what to do. It knows
// no domain: who runs it hands it the checks. It changes nothing but a probe file
// that it removes.
package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Status says how a check ended.
type Status string

// The statuses. Warn: it will work, and something should be done. Fail: do not
// start like this.
const (
	OK   Status = "OK"
	Warn Status = "WARN"
	Fail Status = "FAIL"
)

// Result is what one check found: Text says what, Do what to do about it.
type Result struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Text   string `json:"text"`
	Do     string `json:"do,omitempty"`
}

// Good is a result without anything to do.
func Good(format string, a ...any) Result { return Result{Status: OK, Text: fmt.Sprintf(format, a...)} }

// Concern is a warning and what to do.
func Concern(do, format string, a ...any) Result {
	return Result{Status: Warn, Text: fmt.Sprintf(format, a...), Do: do}
}

// Bad is a failure and what to do.
func Bad(do, format string, a ...any) Result {
	return Result{Status: Fail, Text: fmt.Sprintf(format, a...), Do: do}
}

// Check is one question. Its function may return several results, all under the
// check's name, or none when it does not apply.
type Check struct {
	Name string
	Run  func(ctx context.Context) []Result
}

// One makes a check of a function with one result.
func One(name string, run func(ctx context.Context) Result) Check {
	return Check{name, func(ctx context.Context) []Result { return []Result{run(ctx)} }}
}

// checkTime bounds one check.
const checkTime = 30 * time.Second

// Run runs checks in order, each with at most half a minute.
func Run(ctx context.Context, checks []Check) []Result {
	var out []Result
	for _, c := range checks {
		ctx, cancel := context.WithTimeout(ctx, checkTime)
		for _, r := range c.Run(ctx) {
			r.Name = c.Name
			out = append(out, r)
		}
		cancel()
	}
	return out
}

// Worst is the worst status of results.
func Worst(all []Result) Status {
	worst := OK
	for _, r := range all {
		if r.Status == Fail || (r.Status == Warn && worst == OK) {
			worst = r.Status
		}
	}
	return worst
}

// Print writes results for people.
func Print(w io.Writer, all []Result) {
	counts := map[Status]int{}
	for _, r := range all {
		counts[r.Status]++
		fmt.Fprintf(w, "%-4s  %-16s %s\n", r.Status, r.Name, r.Text)
		if r.Do != "" {
			fmt.Fprintf(w, "      %-16s -> %s\n", "", r.Do)
		}
	}
	fmt.Fprintf(w, "%d ok, %d warnings, %d failures\n", counts[OK], counts[Warn], counts[Fail])
}

// PrintJSON writes results for programs.
func PrintJSON(w io.Writer, all []Result) error {
	return json.NewEncoder(w).Encode(struct {
		Worst   Status   `json:"worst"`
		Results []Result `json:"results"`
	}{Worst(all), all})
}
