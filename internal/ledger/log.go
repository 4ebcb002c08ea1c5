package ledger

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"

	"tikakosh/internal/fault"
)

// Source is where committed leaves come from: the vault's database. Leaves
// returns up to limit leaves (see LeafData) from index from on, dense and in
// order, and none when there are no more. A leaf that was returned once is
// durable and never changes. It must be safe for use while entries are being
// added. Its errors' kinds pass through: fault.Integrity stops the log for good,
// every other kind is tried again.
type Source interface {
	Leaves(ctx context.Context, from uint64, limit int) ([][]byte, error)
}

// Options of a Log. The origin is the Signer's name.
type Options struct {
	Dir             string        // created; checkpoint and tiles in it may be read by anybody
	Signer          note.Signer   // Ed25519, see NoteKeys
	Keys            func() Keys   // nil: Signer for ever. Else asked before each publication; the first is Signer's
	CheckpointEvery time.Duration // at least 100 ms; 0 is 60 s
	Logger          *slog.Logger  // nil discards
}

const (
	// batchSize leaves are written as one batch: some 2.2 files per full bundle
	// instead of 4.5 with one bundle at a time, and each file costs two syncs.
	batchSize = 2048
	// batchAge is how long Tessera waits for more before it writes a batch that is
	// not full. Leaves arrive in runs, so only the run's own adding must fit in.
	batchAge = 20 * time.Millisecond
	// restAfter a batch that was not full keeps the log's syncs from competing
	// with the database's commits; with pollEvery it bounds the delay of an entry
	// well below a second even when no wake-up arrives.
	restAfter = 250 * time.Millisecond
	pollEvery = 300 * time.Millisecond

	stateDir      = ".state" // Tessera's own, not served
	minCheckpoint = 100 * time.Millisecond
	never         = 100 * 365 * 24 * time.Hour
)

// Log is the writer of the log's files. One Log may have a folder open, which a
// lock file enforces on one machine; across machines the caller must hold the
// fenced lease of its database. Its methods may be used concurrently.
type Log struct {
	opt      Options
	appender *tessera.Appender
	reader   tessera.LogReader
	stop     context.CancelFunc
	lock     *os.File
	size     atomic.Uint64

	mu        sync.Mutex     // one integration or publication at a time
	tree      *compact.Range // of the leaves in the files, hashed from the database's copies
	published Checkpoint
	chain     string // of keys, as last written
	vkey      string // as last written
	broken    error  // set once; nothing is written or signed afterwards
	closed    bool
}

// Open opens or creates the files in o.Dir and compares them with src before
// anything is written. It refuses with fault.Integrity when the files are ahead
// of the database (code "ahead": an older database was put back), differ from it
// ("differs"), do not carry the published checkpoint ("root", "state",
// "checkpoint") or are damaged; with fault.Conflict when another writer has them
// open; fault.Invalid for wrong options; fault.Unavailable when files or
// database cannot be read. ctx bounds Open only: the Log lives until Close.
//
// Open sends the log lines of Tessera's library, process-wide, to o.Logger as
// warnings when they are errors and drops the others.
func Open(ctx context.Context, o Options, src Source) (*Log, error) {
	if o.CheckpointEvery == 0 {
		o.CheckpointEvery = time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Signer == nil || o.Dir == "" || o.CheckpointEvery < minCheckpoint {
		return nil, fault.New(fault.Invalid, "options", "a ledger needs a folder, a checkpoint key and an interval of at least 100 ms")
	}
	quiet(o.Logger)
	lock, err := lockFolder(o.Dir)
	if err != nil {
		return nil, err
	}
	l := &Log{opt: o, lock: lock, stop: func() {}}
	if err := l.start(ctx, src); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// start reads the published checkpoint, starts Tessera and compares.
func (l *Log) start(ctx context.Context, src Source) error {
	fresh, err := l.readPublished()
	if err != nil {
		return err
	}
	driver, err := posix.New(ctx, posix.Config{Path: l.opt.Dir})
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "ledger files")
	}
	// Tessera's background work must outlive a cancelled caller: futures of a
	// batch under way would never resolve otherwise.
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	opts := tessera.NewAppendOptions().WithCheckpointSigner(birthSigner{l.opt.Signer, fresh}).WithBatching(batchSize, batchAge).
		WithCheckpointInterval(never).WithCheckpointRepublishInterval(0).WithPushback(2 * batchSize)
	// Tessera's shutdown is not used: it waits for a checkpoint that publish makes.
	l.appender, _, l.reader, err = tessera.NewAppender(life, driver, opts)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "ledger files cannot be opened; they can be rebuilt from the database")
	}
	_, _, chain, err := l.keys()
	if err == nil {
		err = l.writeKeys(chain) // a change may have been made just before the last end
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "ledger keys")
	}
	next, err := l.reader.NextIndex(ctx)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "ledger files")
	}
	if err := l.compare(ctx, src, next); err != nil {
		return err
	}
	l.size.Store(next)
	if next > 0 {
		l.openUp(next-1, next)
	}
	return nil
}

// readPublished loads the last published checkpoint, which must be this log's
// own and must not have lost the state that Tessera keeps beside it: without
// that, Tessera would begin a new log over it.
func (l *Log) readPublished() (fresh bool, err error) {
	raw, err := os.ReadFile(filepath.Join(l.opt.Dir, "checkpoint"))
	_, stateErr := os.Stat(filepath.Join(l.opt.Dir, stateDir, "treeState"))
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fault.Wrap(fault.Unavailable, err, "checkpoint")
	}
	if l.published, err = l.own(raw); err != nil {
		return false, err
	}
	if stateErr != nil && l.published.Size > 0 {
		return false, fault.Newf(fault.Integrity, "state", "the ledger's files hold a checkpoint of %d entries but not their state; rebuild them from the database", l.published.Size)
	}
	return false, nil
}

// birthSigner lets Tessera sign the empty tree of a new log and nothing else:
// every other checkpoint is signed by publish, after its checks.
type birthSigner struct {
	note.Signer
	fresh bool
}

// Sign implements note.Signer.
func (s birthSigner) Sign(msg []byte) ([]byte, error) {
	c, err := bodyOf(string(msg))
	if err != nil || !s.fresh || c.Size != 0 {
		return nil, fault.New(fault.Forbidden, "checkpoint", "checkpoints are published by the ledger itself")
	}
	return s.Signer.Sign(msg)
}

// lockFolder makes the folder and takes its writer's lock, which the kernel
// releases when the process ends, however it ends.
func lockFolder(dir string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Join(dir, stateDir), 0o755); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "ledger folder")
	}
	f, err := os.OpenFile(filepath.Join(dir, stateDir, "writer.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "ledger lock")
	}
	// flock is per open file, so a second Log of this process is refused too.
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fault.New(fault.Conflict, "locked", "another process writes these ledger files")
	}
	// Readers of other users reach the files through this folder.
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o055 != 0o055 {
		if err := os.Chmod(dir, 0o755); err != nil {
			f.Close()
			return nil, fault.Wrap(fault.Unavailable, err, "ledger folder")
		}
	}
	return f, nil
}

// Size is the number of leaves in the files, published or not.
func (l *Log) Size() uint64 { return l.size.Load() }

// Checkpoint returns the newest published checkpoint (a signed note), or
// fault.Unavailable.
func (l *Log) Checkpoint(ctx context.Context) ([]byte, error) {
	raw, err := l.reader.ReadCheckpoint(ctx)
	return raw, fault.Wrap(fault.Unavailable, err, "checkpoint")
}

// Close waits for the batch under way, publishes a checkpoint of everything in
// the files, unless the log was stopped by a fault, and releases them. Further
// calls do nothing.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	var err error
	if l.broken == nil {
		err = l.publish(ctx)
	}
	l.closed = true
	l.release()
	return err
}

func (l *Log) release() {
	l.stop()
	l.lock.Close()
}

// usable must be called with mu held.
func (l *Log) usable() error {
	if l.closed {
		return fault.New(fault.Unavailable, "closed", "the ledger's files are closed")
	}
	return l.broken
}

// fail stops the log for good. It must be called with mu held.
func (l *Log) fail(code, format string, a ...any) error {
	l.broken = fault.Newf(fault.Integrity, code, format, a...)
	return l.broken
}

// quiet routes klog, which Tessera uses: errors to logger, the rest nowhere.
func quiet(logger *slog.Logger) {
	klog.SetOutput(io.Discard)
	klog.SetOutputBySeverity("ERROR", klogErrors{logger})
	klog.LogToStderr(false)
	// Errors would still be copied to standard error below this threshold.
	fs := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(fs)
	if err := fs.Set("stderrthreshold", "FATAL"); err != nil {
		logger.Warn("ledger: klog", "err", err)
	}
}

type klogErrors struct{ logger *slog.Logger }

// Write implements io.Writer.
func (k klogErrors) Write(p []byte) (int, error) {
	k.logger.Warn("ledger files", "tessera", string(p))
	return len(p), nil
}
