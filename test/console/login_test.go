package console

import (
	"net/http"
	"strings"
	"testing"
)

func TestLoggingInLeadsToThePageThatWasAskedFor(t *testing.T) {
	h := newHouse(t)
	p := h.visit("/console/workers?x=1")
	p.wait(`document.querySelector('.login')`)
	p.look("login")
	p.fill("#token", "wrong\r")
	p.wait(`document.body.innerText.includes('does not know the token')`)
	p.fill("#token", token+"\r")
	p.wait(`document.querySelector('main h1')?.innerText === 'Workers'`)
	if p.path() != "/console/workers?x=1" {
		t.Errorf("the page is %s", p.path())
	}
	if cookie := p.eval("document.cookie"); cookie != "" {
		t.Errorf("scripts can read the cookie: %s", cookie)
	}
}

func TestASessionThatEndsCoversThePageAndGivesItBack(t *testing.T) {
	h := newHouse(t)
	p := h.open("/console/queue")
	p.setCookie(&http.Cookie{Name: "longhaul_session", Value: "1.forged"})
	p.keys("ge") // any page that asks the server
	p.wait(`document.querySelector('.login')`)
	if text := p.eval("document.body.innerText"); !strings.Contains(text, "session has ended") {
		t.Errorf("the page says %s", text)
	}
	p.fill("#token", token+"\r")
	p.wait(`!document.querySelector('.login') && document.querySelector('main h1')?.innerText === 'Executions'`)
	p.clickText("Log out")
	p.wait(`document.querySelector('.login')`)
	p.goTo("/console/queue")
	p.wait(`document.querySelector('.login')`)
}
