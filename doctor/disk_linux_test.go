package doctor

import "testing"

func TestTheKernelSaysWhatDoesNotLast(t *testing.T) {
	if d, err := inspectDisk("/dev/shm"); err != nil || d.kind != "tmpfs, which is memory" {
		t.Errorf("%+v %v", d, err)
	}
	if d, err := inspectDisk("/"); err != nil || d.free == 0 {
		t.Errorf("%+v %v", d, err)
	}
}
