# Stands in for t/lib-httpd.sh of git's own tests: the web server is ours, not apache.
#
# HTTPD_TEST_PYTHON and HTTPD_TEST_SERVER start it. What the tests ask apache itself for (static
# files, redirects, broken answers) it does not have: see test_commons_git_scripts.py.

HTTPD_ROOT_PATH="$PWD"/httpd
HTTPD_DOCUMENT_ROOT_PATH=$HTTPD_ROOT_PATH/www
HTTPD_PROTO=http
TRASH_DIRECTORY=$PWD

start_httpd() {
	mkdir -p "$HTTPD_DOCUMENT_ROOT_PATH"
	test_atexit stop_httpd
	"$HTTPD_TEST_PYTHON" "$HTTPD_TEST_SERVER" "$HTTPD_ROOT_PATH" >"$HTTPD_ROOT_PATH/port" \
		2>"$HTTPD_ROOT_PATH/error.log" &
	HTTPD_PID=$!
	tries=0
	until test -s "$HTTPD_ROOT_PATH/port"
	do
		sleep 0.1
		tries=$((tries + 1))
		test $tries -lt 300 || BAIL_OUT "the server does not start"
	done
	LIB_HTTPD_PORT=$(cat "$HTTPD_ROOT_PATH/port")
	HTTPD_DEST=127.0.0.1:$LIB_HTTPD_PORT
	HTTPD_URL=$HTTPD_PROTO://$HTTPD_DEST
	HTTPD_URL_USER=$HTTPD_PROTO://user%40host@$HTTPD_DEST
	HTTPD_URL_USER_PASS=$HTTPD_PROTO://user%40host:pass%40host@$HTTPD_DEST
}

stop_httpd() {
	kill "$HTTPD_PID"
}

enable_http2() {
	:
}
