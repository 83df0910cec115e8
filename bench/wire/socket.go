package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Socket is the reading end of a WebSocket (RFC 6455): payloads of its messages,
// one behind the other. It answers pings, and ends with io.EOF at a close.
type Socket struct {
	conn *Conn
	left uint64 // of the payload of the frame that is being read
	// ClosedWith is the status of the server's close.
	ClosedWith int
}

// OpenSocket upgrades a GET.
func OpenSocket(address string, header http.Header) (*Socket, error) {
	header = header.Clone()
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
	} {
		header.Set(name, value)
	}
	r, err := NewRequest(http.MethodGet, address, header, nil)
	if err != nil {
		return nil, err
	}
	c, err := dial(r, 16<<10)
	if err != nil {
		return nil, err
	}
	res, err := c.send(r) //nolint:bodyclose // an upgraded connection has no body
	if err == nil && res.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("socket: %s", res.Status)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return &Socket{conn: c}, nil
}

// Frame types of RFC 6455, section 5.2.
const (
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xA
)

// Read implements io.Reader.
func (s *Socket) Read(p []byte) (int, error) {
	if err := s.conn.net.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	for s.left == 0 {
		if err := s.head(); err != nil {
			return 0, err
		}
	}
	n, err := s.conn.r.Read(p[:min(uint64(len(p)), s.left)])
	s.left -= uint64(n)
	return n, err
}

// head reads the head of a frame, and the whole of a control frame.
func (s *Socket) head() error {
	var h [8]byte
	if _, err := io.ReadFull(s.conn.r, h[:2]); err != nil {
		return err
	}
	op, size := h[0]&0xf, uint64(h[1])
	switch size { // a server masks nothing
	case 126:
		if _, err := io.ReadFull(s.conn.r, h[:2]); err != nil {
			return err
		}
		size = uint64(binary.BigEndian.Uint16(h[:2]))
	case 127:
		if _, err := io.ReadFull(s.conn.r, h[:8]); err != nil {
			return err
		}
		size = binary.BigEndian.Uint64(h[:8])
	}
	if op < opClose {
		s.left = size
		return nil
	}
	return s.control(op, size)
}

func (s *Socket) control(op byte, size uint64) error {
	if size > 125 {
		return errors.New("a control frame is too long")
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(s.conn.r, payload); err != nil {
		return err
	}
	switch op {
	case opPing: // a client masks: here with zeros
		_, err := s.conn.net.Write(append([]byte{0x80 | opPong, 0x80 | byte(size), 0, 0, 0, 0}, payload...))
		return err
	case opClose:
		if size >= 2 {
			s.ClosedWith = int(binary.BigEndian.Uint16(payload))
		}
		return io.EOF
	}
	return nil
}

// Close breaks it off.
func (s *Socket) Close() { s.conn.Close() }
