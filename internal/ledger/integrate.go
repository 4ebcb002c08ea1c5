package ledger

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api/layout"

	"tikakosh/internal/fault"
)

// Run integrates committed leaves until ctx ends: at once when wake fires after
// a quiet quarter of a second, and otherwise at the latest 550 ms and the time of
// one batch after the commit, also with a nil wake. It publishes a checkpoint
// when it has caught up for the first time and every CheckpointEvery in which
// the log grew. When ctx ends it integrates what is left, for at most two
// seconds, and returns nil; Close then publishes. It returns early only with a
// fault.Integrity: nothing is written or signed any more.
func (l *Log) Run(ctx context.Context, src Source, wake <-chan struct{}) error {
	poll, publish := time.NewTicker(pollEvery), time.NewTicker(l.opt.CheckpointEvery)
	defer poll.Stop()
	defer publish.Stop()
	first, due, failing := true, false, false
	for ctx.Err() == nil {
		more, err := l.step(ctx, src)
		if err == nil && (due || first && !more) {
			if err = l.Publish(ctx); err == nil {
				due, first = false, first && more
			}
		}
		if fault.Is(err, fault.Integrity) {
			return err
		}
		l.report(ctx, err, failing)
		failing = err != nil
		due = l.pause(ctx, more && err == nil, wake, poll.C, publish.C) || due
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	err := l.Integrate(last, src)
	if fault.Is(err, fault.Integrity) {
		return err
	}
	l.report(last, err, false)
	return nil
}

// report logs the first failure of a row and its end.
func (l *Log) report(ctx context.Context, err error, failing bool) {
	switch {
	case err == nil && failing:
		l.opt.Logger.Info("ledger files follow the database again")
	case err != nil && !failing && ctx.Err() == nil:
		l.opt.Logger.Warn("ledger files are behind the database", "kind", fault.KindOf(err), "err", err)
	}
}

// pause waits for the next reason to integrate and reports whether a checkpoint
// has come due meanwhile. With more to do it does not wait.
func (l *Log) pause(ctx context.Context, more bool, wake <-chan struct{}, poll, publish <-chan time.Time) (due bool) {
	if more {
		select {
		case <-publish:
			return true
		default:
			return false
		}
	}
	rest := time.NewTimer(min(restAfter, l.opt.CheckpointEvery))
	defer rest.Stop()
	select {
	case <-ctx.Done():
	case <-publish:
		return true
	case <-rest.C:
		select {
		case <-ctx.Done():
		case <-wake:
		case <-poll:
		case <-publish:
			return true
		}
	}
	return false
}

// Integrate adds every committed leaf that the files do not have yet and returns
// when all are durable in the files, though not yet published. fault.Integrity
// stops the log for good: files and database disagree. After fault.Unavailable
// (or a kind of the Source's) it may be called again.
func (l *Log) Integrate(ctx context.Context, src Source) error {
	for {
		if err := ctx.Err(); err != nil {
			return fault.Wrap(fault.Unavailable, err, "ledger files")
		}
		more, err := l.step(ctx, src)
		if err != nil || !more {
			return err
		}
	}
}

// step integrates one batch and reports whether it was a full one. A batch ends
// at a bundle's end where it can, so that the next writes no bundle twice.
func (l *Log) step(ctx context.Context, src Source) (more bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return false, err
	}
	defer func() {
		if fault.Is(err, fault.Integrity) && l.broken == nil {
			l.broken = err
		}
	}()
	if err := l.adopt(ctx, src); err != nil {
		return false, err
	}
	next := l.tree.End()
	limit := batchSize - int(next%layout.EntryBundleWidth)
	leaves, err := src.Leaves(ctx, next, limit)
	if err != nil || len(leaves) == 0 {
		return false, err
	}
	leaves = leaves[:min(len(leaves), limit)]
	for i, leaf := range leaves {
		if _, err := ParseLeaf(leaf); err != nil {
			return false, l.fail("leaf", "ledger entry %d in the database is not a leaf", next+uint64(i))
		}
	}
	err = l.sequence(ctx, next, leaves)
	l.openUp(next, next+uint64(len(leaves)))
	if err != nil {
		return false, err
	}
	return len(leaves) == limit, l.extend(leaves)
}

// adopt takes over leaves that are in the files although their batch was
// reported as failed: written, but an error came after. They must be the
// database's.
func (l *Log) adopt(ctx context.Context, src Source) error {
	next := l.tree.End()
	stored, err := l.reader.NextIndex(ctx)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "ledger files")
	}
	if stored < next {
		return l.fail("state", "the ledger's files went back from %d to %d entries", next, stored)
	}
	for stored > next {
		bundle := next / layout.EntryBundleWidth
		leaves, err := l.compareBundle(ctx, src, bundle, stored)
		if err != nil {
			return err
		}
		if err := l.extend(leaves[next-bundle*layout.EntryBundleWidth:]); err != nil {
			return err
		}
		next = l.tree.End()
	}
	return nil
}

// sequence hands leaves to Tessera as one batch and waits for all of them.
// Tessera may split a batch in two when the process is held up between the adds,
// and a first part that fails before a second that does not would leave a wrong
// order: every index is compared, and a publication compares the root besides.
func (l *Log) sequence(ctx context.Context, next uint64, leaves [][]byte) error {
	futures := make([]tessera.IndexFuture, len(leaves))
	for i, leaf := range leaves {
		futures[i] = l.appender.Add(ctx, tessera.NewEntry(leaf))
	}
	var failed error
	for i, f := range futures {
		got, err := f()
		if err != nil {
			failed = fault.Wrap(fault.Unavailable, err, "ledger files")
			continue
		}
		if want := next + uint64(i); got.Index != want {
			return l.fail("index", "the ledger's files gave index %d to entry %d; rebuild them from the database", got.Index, want)
		}
	}
	return failed
}

// extend adds leaves to the tree that publications are checked against.
func (l *Log) extend(leaves [][]byte) error {
	for _, leaf := range leaves {
		if err := l.tree.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil); err != nil {
			return l.fail("root", "the ledger's tree cannot be extended: %v", err)
		}
	}
	l.size.Store(l.tree.End())
	return nil
}

// openUp makes the files that a batch from..to wrote readable by other users,
// the role that serves them among these, whatever the process's umask is. A
// folder made under a narrow umask may even be closed to the writer.
func (l *Log) openUp(from, to uint64) {
	for path := range written(from, to) {
		at := l.opt.Dir
		parts := strings.Split(path, "/")
		for i, p := range parts {
			mode := os.FileMode(0o755)
			if i == len(parts)-1 {
				mode = 0o644
			}
			at = filepath.Join(at, p)
			info, err := os.Stat(at)
			if err != nil {
				break
			}
			if info.Mode().Perm() == mode {
				continue
			}
			l.open(at, mode)
		}
		// Where Tessera split the batch, a narrower tile lies beside it.
		if beside := filepath.Dir(at); strings.HasSuffix(beside, ".p") {
			tiles, _ := os.ReadDir(beside)
			for _, tile := range tiles {
				if info, err := tile.Info(); err == nil && info.Mode().Perm() != 0o644 {
					l.open(filepath.Join(beside, tile.Name()), 0o644)
				}
			}
		}
	}
}

func (l *Log) open(at string, mode os.FileMode) {
	if err := os.Chmod(at, mode); err != nil {
		l.opt.Logger.Warn("ledger files cannot be opened to readers", "err", err)
	}
}

// written lists the bundles and tiles that a batch from..to writes.
func written(from, to uint64) iter.Seq[string] {
	return func(yield func(string) bool) {
		for b := from / layout.EntryBundleWidth; b*layout.EntryBundleWidth < to; b++ {
			if !yield(layout.EntriesPath(b, layout.PartialTileSize(0, b, to))) {
				return
			}
		}
		for level := uint64(0); to>>(8*level) > 0; level++ {
			width := to >> (8 * level)
			for i := from >> (8 * level) / layout.TileWidth; i*layout.TileWidth < width; i++ {
				if !yield(layout.TilePath(level, i, layout.PartialTileSize(level, i, to))) {
					return
				}
			}
		}
	}
}
