package machine

import "golang.org/x/sys/unix"

// Disk is the room on the disk of a folder, in bytes, as an unprivileged user
// may use it.
type Disk struct {
	Free, Size uint64
	FreeFiles  uint64 // index nodes left; 0 where the file system has no such bound
	Files      uint64
}

// ReadDisk asks for the room on the disk that path is on.
func ReadDisk(path string) (Disk, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return Disk{}, err
	}
	return Disk{Free: s.Bavail * uint64(s.Bsize), Size: s.Blocks * uint64(s.Bsize), FreeFiles: s.Ffree, Files: s.Files}, nil
}

// Ratio is the share that is left, from 0 to 1.
func (d Disk) Ratio() float64 {
	if d.Size == 0 {
		return 0
	}
	return float64(d.Free) / float64(d.Size)
}
