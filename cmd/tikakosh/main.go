// Command tikakosh is the whole product: each subcommand is one role or one
// tool. This package is the only one that knows how the parts fit together.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	_ "time/tzdata" // civil dates work on machines without zone files

	"github.com/alecthomas/kong"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/portal/staff"
	"tikakosh/internal/supervise"
)

// version is set by the release build with -ldflags "-X main.version=…".
var version = "0.1.0-dev"

// cli is the whole command line.
type cli struct {
	Demo        demoCmd        `cmd:"" help:"Run everything with a generated programme, demo staff and a page that shows the codes."`
	Run         runCmd         `cmd:"" help:"Run everything on this machine: vault, courier, web, worker."`
	Serve       serveCmd       `cmd:"" help:"Run the web role alone (started by run)."`
	Vault       vaultCmd       `cmd:"" help:"Run the vault role alone (started by run)."`
	Courier     courierCmd     `cmd:"" help:"Run the courier role alone (started by run)."`
	Worker      workerCmd      `cmd:"" help:"Run the worker role alone (started by run)."`
	Ops         opsCmd         `cmd:"" hidden:"" help:"Run the ops role alone (started by run)."`
	Seed        seedCmd        `cmd:"" hidden:"" help:"Fill a demo (started by demo)."`
	Staff       staffCmd       `cmd:"" help:"Enrol staff device keys and sign staff requests."`
	Policies    policiesCmd    `cmd:"" help:"Check, begin and show the policies of an installation."`
	Department  departmentCmd  `cmd:"" help:"Departments whose staff sign in at their own identity provider."`
	Partner     partnerCmd     `cmd:"" help:"Enrol partner applications and sign their requests."`
	Ledger      ledgerCmd      `cmd:"" help:"Verify the ledger's files; compare the registry with the ledger."`
	Doctor      doctorCmd      `cmd:"" help:"Check a machine and a configuration before the first start; takes the flags of run."`
	Health      healthCmd      `cmd:"" help:"Ask a running installation whether every role is ready."`
	Logs        logsCmd        `cmd:"" help:"The roles' logs: hand them out signed, and verify them."`
	Migrate     migrateCmd     `cmd:"" help:"Bring PostgreSQL databases to this program's tables."`
	Keys        keysCmd        `cmd:"" help:"List the keys; change them while the service runs."`
	Backup      backupCmd      `cmd:"" help:"Copy registry, vault and ledger of a running installation into one encrypted set."`
	Drill       drillCmd       `cmd:"" help:"Try whether the newest backup set of a folder could be restored, and note the outcome: for a timer."`
	Restore     restoreCmd     `cmd:"" help:"Make a data folder from a backup set, or try out whether one could be made."`
	Approve     approveCmd     `cmd:"" name:"restore-approve" help:"Sign, as a custodian, that a backup set behind the ledger may go live."`
	Recovered   recoveredCmd   `cmd:"" help:"After PostgreSQL databases were recovered to a point in time: compare them with the ledger, and let the vault start from there."`
	Import      importCmd      `cmd:"" help:"Import centres and sessions from CSV files."`
	Certificate certificateCmd `cmd:"" help:"Verify a certificate."`
	Surface     surfaceCmd     `cmd:"" help:"Print every address that the web role answers, and who may call it."`
	Storybook   storybookCmd   `cmd:"" help:"Show every screen of the portal in every state, without a database."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
	exitConfig = supervise.ExitConfig // starting again will not help
)

func main() {
	var c cli
	parser := kong.Must(&c, kong.Name("tikakosh"), kong.UsageOnError(),
		kong.Description("A vaccination registry that a clinic, a state or a nation runs itself."),
		kong.Exit(func(code int) {
			if code != 0 {
				code = exitUsage
			}
			os.Exit(code)
		}))
	ctx, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	if err := ctx.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "tikakosh:", message(err))
		os.Exit(exitCode(err))
	}
}

func message(err error) string {
	var f *fault.Error
	if errors.As(err, &f) && f.Err == nil && f.Text != "" {
		return f.Text
	}
	return err.Error()
}

func exitCode(err error) int {
	switch fault.KindOf(err) {
	case fault.Forbidden, fault.Integrity:
		return exitConfig
	}
	if errors.Is(err, errConfig) || errors.Is(err, supervise.ErrConfig) || needsHand(err) {
		return exitConfig
	}
	return exitFailed
}

// errConfig marks a configuration that starting again will not mend.
var errConfig = errors.New("configuration")

func badConfig(format string, a ...any) error {
	return fmt.Errorf("%w: %s", errConfig, fmt.Sprintf(format, a...))
}

type versionCmd struct{}

// Run prints the version and whether this build can switch controls off.
func (versionCmd) Run() error {
	fmt.Print("tikakosh ", version)
	if info, ok := debug.ReadBuildInfo(); ok {
		fmt.Print(" (", info.GoVersion, ")")
	}
	if ablate.Built {
		fmt.Print(" TEST BUILD: controls can be switched off")
	}
	fmt.Printf("\nstaff client sha256:%s\n", staff.Sum())
	return nil
}
