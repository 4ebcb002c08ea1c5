package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tikakosh/internal/fault"
)

// drillCmd is `restore --verify` for a timer: of the newest set in a folder, with
// the outcome noted, a failure too.
type drillCmd struct {
	Sets     string        `required:"" type:"existingdir" help:"Folder with backup sets; the newest is tried."`
	Identity string        `required:"" type:"existingfile" help:"File with the age secret key of a recipient."`
	MaxAge   time.Duration `name:"max-age" default:"48h" help:"The drill fails when the newest set is older than this."`
	custodyFlags
	KeyFiles string `name:"key-files" help:"Folder with the vault's key files, as they are kept for an emergency."`
	Vkey     string `help:"The ledger's verifier key, as text or file; default: the one that the vault's keys open."`
	Note     string `help:"Data folder in whose status file the outcome is noted."`
	Temp     string `help:"Where the drill works; default: the system's temporary folder."`
}

// Run implements the command.
func (c *drillCmd) Run() error {
	err := c.drill()
	if c.Note == "" {
		return err
	}
	return errors.Join(err, noteBackup(layout{c.Note}, func(s *backupStatus) {
		if err == nil {
			s.VerifiedMS, s.DrillFailedMS = time.Now().UnixMilli(), 0
		} else {
			s.DrillFailedMS = time.Now().UnixMilli()
		}
	}))
}

func (c *drillCmd) drill() error {
	newest, made, err := newestSet(c.Sets)
	if err != nil {
		return err
	}
	if old := time.Since(made); old > c.MaxAge {
		return fault.Newf(fault.Integrity, "drill", "the newest set, %s, is %s old: no newer one reaches this folder", newest, old.Round(time.Minute))
	}
	r := restoreCmd{From: newest, Identity: c.Identity, Verify: true, custodyFlags: c.custodyFlags, KeyFiles: c.KeyFiles, Vkey: c.Vkey, Temp: c.Temp}
	return r.Run()
}

// newestSet is the newest backup set in a folder by its name, and when its name
// says it was made.
func newestSet(folder string) (path string, made time.Time, err error) {
	sets, err := filepath.Glob(filepath.Join(folder, "tikakosh-*"+setSuffix))
	if err != nil {
		return "", made, err
	}
	for _, path := range slices.Backward(slices.Sorted(slices.Values(sets))) {
		at, err := time.Parse("tikakosh-"+setTime+setSuffix, filepath.Base(path))
		if info, statErr := os.Stat(path); err == nil && statErr == nil && info.Mode().IsRegular() {
			return path, at, nil
		}
	}
	return "", made, fault.New(fault.NotFound, "drill", fmt.Sprintf("there is no backup set in %s", folder))
}
