# Needs GNU make and Debian; every target installs the packages it misses (tools/packages).
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

NAME := ngx_http_api_token_module
BUILD := $(CURDIR)/build
NGX_DEV := /usr/share/nginx/src
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2
LD_HARDEN := -Wl,-z,relro -Wl,-z,now

# an inner make gets all processors, unless this one was told -j
jobs = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
inner_make = $(MAKE) -s --no-print-directory $(jobs)

.PHONY: FORCE
FORCE:

## all             the module, build/ngx_http_api_token_module.so, for Debian's nginx
##                 NGX_SRC=PATH: for the nginx source tree PATH, in build/src-NAME/,
##                 with NGX_CONFIGURE_ARGS='…' besides --with-compat
.PHONY: all
ifeq ($(NGX_SRC),)
TREE := $(NGX_DEV)
OUT := $(BUILD)/module
MODULE := $(BUILD)/$(NAME).so
CONFIGURE = . $(NGX_DEV)/conf_flags; tools/configure.sh $(TREE) $(OUT) \
	--with-cc-opt="-O2 -g -fPIC $(HARDEN)" --with-ld-opt="$(LD_HARDEN)" \
	"$${NGX_CONF_FLAGS[@]}" --add-dynamic-module=$(CURDIR)
else
ifneq ($(filter-out all,$(MAKECMDGOALS)),)
$(error NGX_SRC is for building the module only)
endif
TREE := $(abspath $(NGX_SRC))
OUT := $(BUILD)/src-$(notdir $(TREE))
MODULE := $(OUT)/$(NAME).so
CONFIGURE = tools/configure.sh $(TREE) $(OUT) --with-cc-opt="-O2 -g" --with-compat $(NGX_CONFIGURE_ARGS) \
	--add-dynamic-module=$(CURDIR)
endif

all: $(MODULE)

$(MODULE): FORCE | deps-build
	@$(CONFIGURE)
	+@$(inner_make) -f $(OUT)/Makefile -C $(TREE) modules
	@$(if $(NGX_SRC),,cmp -s $(OUT)/$(NAME).so $@ || install -m 644 $(OUT)/$(NAME).so $@)

## deps            what is missing of Debian's packages; deps-GROUP: of one group
.PHONY: deps
deps:
	@tools/deps.sh build run test
deps-%: FORCE
	@tools/deps.sh $*

## test-unit       the tests of src/token and of the cache, t/unit
UNIT_FLAGS := -std=c++20 -g -Wall -Wextra -Werror -fno-exceptions -fno-rtti -Isrc -It/unit -MMD -MP
UNIT_LIBS := -lcmocka -ljansson -lcrypto
NGINX_HEADERS := -Ibuild/module $(addprefix -isystem$(NGX_DEV)/src/,core event event/modules event/quic os/unix http http/modules http/v2 http/v3)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
UNIT_TESTS := $(patsubst t/unit/%.cpp,%,$(wildcard t/unit/*_test.cpp))
UNIT_OBJECTS := $(patsubst src/token/%.cpp,token/%.o,$(wildcard src/token/*.cpp))

# $(1): the build folder, $(2): more flags
define unit
$(1)/token/%.o: src/token/%.cpp Makefile | deps-build
	@mkdir -p $$(@D)
	g++ $(UNIT_FLAGS) $(2) -c $$< -o $$@
$(1)/%_test.o: t/unit/%_test.cpp Makefile | deps-build deps-test
	@mkdir -p $$(@D)
	g++ $(UNIT_FLAGS) $$(UNIT_HEADERS) $(2) -c $$< -o $$@
$(1)/%_test: $(1)/%_test.o $(UNIT_OBJECTS:%=$(1)/%)
	g++ $(2) $$^ -o $$@ $(UNIT_LIBS)
$(1)/store/cache.o: src/store/cache.cpp Makefile | $(BUILD)/$(NAME).so
	@mkdir -p $$(@D)
	g++ $(UNIT_FLAGS) $(NGINX_HEADERS) $(2) -c $$< -o $$@
$(1)/cache_test.o: UNIT_HEADERS := $(NGINX_HEADERS)
$(1)/cache_test.o: | $(BUILD)/$(NAME).so
$(1)/cache_test: $(1)/store/cache.o
.SECONDARY: $(UNIT_TESTS:%=$(1)/%.o) $(UNIT_OBJECTS:%=$(1)/%) $(1)/store/cache.o
-include $(wildcard $(1)/*.d $(1)/token/*.d $(1)/store/*.d)
endef
$(eval $(call unit,build/unit,-O2))
$(eval $(call unit,build/unit-asan,-O1 $(SANITIZE)))

build_unit = +@$(inner_make) $(UNIT_TESTS:%=$(1)/%)
run_unit = T_DATA=$(CURDIR)/t/data CMOCKA_MESSAGE_OUTPUT=TAP prove -j$$(nproc) -e '' $(UNIT_TESTS:%=$(1)/%)

.PHONY: test-unit
test-unit: | deps-build deps-test
	$(call build_unit,build/unit)
	@$(call run_unit,build/unit)

## test-nginx      Test::Nginx, t/*.t, against Debian's nginx; TESTS='t/x.t …': only these
##                 REDIS=redis, cluster, sentinel, rediss: that instead of unix, a socket; see t/lib/Topology.pm
# the largest files take longest; what they mostly do is wait
TESTS ?= $(shell ls -S t/*.t)
REDIS ?= unix
TEST_NGINX := build/test-nginx/usr/share/perl5
$(TEST_NGINX)/Test/Nginx.pm: | deps-test
	@tools/fetch.sh test-nginx build/test-nginx

# $(1): nginx, $(2): the module, $(3): the folder for the servers' files
run_nginx = PERL5LIB=$(CURDIR)/$(TEST_NGINX):$(CURDIR)/t/lib TEST_NGINX_BINARY=$(1) MODULE=$(2) T_OUT=$(3) REDIS=$(REDIS) \
	tools/alone.sh prove -j$$(($$(nproc) + 3)) $(TESTS)

.PHONY: test-nginx
test-nginx: $(BUILD)/$(NAME).so $(TEST_NGINX)/Test/Nginx.pm | deps-run deps-test
	@$(call run_nginx,/usr/sbin/nginx,$<,$(BUILD)/t)

## test-topologies test-nginx with each REDIS, rediss where this build has TLS
.PHONY: test-topologies
test-topologies: $(BUILD)/$(NAME).so
	@failed=0; for redis in unix redis cluster sentinel $$(! grep -q libhiredis_ssl $< || echo rediss); do \
		echo "REDIS=$$redis"; $(MAKE) --no-print-directory test-nginx REDIS=$$redis || failed=1; \
	done; exit $$failed

## test-faults     t/faults/*_test.py: a Redis that fails, clients that leave, reloads and key rotation, under load;
##                 sentinels and a cluster, with failovers
##                 FAULTS=x_test.py: only this; FAULTS_MINUTES, FAULTS_RELOADS, FAULTS_ROUNDS, FAULTS_RATE: more
FAULTS ?= *_test.py
# $(1): nginx, $(2): the module. In reverse, so that none of the long ones is begun last
run_faults = export TEST_NGINX_BINARY=$(1) MODULE=$(2); printf '%s\n' $(notdir $(wildcard t/faults/$(FAULTS))) | sort -r | \
	xargs -P$$(($$(nproc) + 1)) -n1 tools/alone.sh python3 -B -m unittest discover -s t/faults -p

.PHONY: test-faults
test-faults: $(BUILD)/$(NAME).so | deps-run deps-test
	@$(call run_faults,/usr/sbin/nginx,$<)

## test            test-unit, test-nginx and test-faults
.PHONY: test
test: test-unit test-nginx test-faults

## test-asan       the same with AddressSanitizer and UBSan, in an nginx built with them
##                 (parts: test-asan-unit, test-asan-nginx, test-asan-faults)
ASAN := $(BUILD)/asan
ASAN_CONFIGURE = --with-cc-opt="-O1 -g -fPIC -fno-omit-frame-pointer -fsanitize=address -DNGX_DEBUG_PALLOC=1 \
	-Wno-error=maybe-uninitialized" --with-ld-opt="-fsanitize=address,undefined -Wl,-z,nodelete" "$${NGX_CONF_FLAGS[@]}"

build/asan/source/configure: | deps-build
	@tools/fetch.sh nginx build/asan/source

# without the module, so that nginx is built only once
build/asan/nginx/nginx: build/asan/source/configure
	@echo "building nginx with AddressSanitizer"
	@mkdir -p $(@D)
	@. $(NGX_DEV)/conf_flags; cd $(<D); ./configure $(ASAN_CONFIGURE) --builddir=$(ASAN)/nginx >$(ASAN)/configure.log
	+@$(inner_make) -f $(ASAN)/nginx/Makefile -C $(<D) binary

.PHONY: asan-module
asan-module: build/asan/source/configure
	@. $(NGX_DEV)/conf_flags; tools/configure.sh $(ASAN)/source $(ASAN)/module $(ASAN_CONFIGURE) --add-dynamic-module=$(CURDIR)
	+@$(inner_make) -f $(ASAN)/module/Makefile -C $(ASAN)/source modules \
		CXX_EXTRA="-D_GLIBCXX_ASSERTIONS -fsanitize=undefined -fno-sanitize-recover=undefined"

.PHONY: test-asan test-asan-unit test-asan-nginx test-asan-faults
test-asan: test-asan-unit test-asan-nginx test-asan-faults

test-asan-unit: | deps-build deps-test
	$(call build_unit,build/unit-asan)
	@export UBSAN_OPTIONS=print_stacktrace=1; $(call run_unit,build/unit-asan)

# $(1): a command. nginx starts a worker again and exits with 0 after a report: what counts is that there is none
define run_sanitised
	@rm -rf $(ASAN)/reports/$@; mkdir -p $(ASAN)/reports/$@
	@printf 'leak:%s\n' ngx_event_process_init ngx_regex_malloc >$(ASAN)/leaks
	@export ASAN_OPTIONS=detect_leaks=1:detect_odr_violation=0:handle_abort=1:log_path=$(ASAN)/reports/$@/asan; \
	export UBSAN_OPTIONS=print_stacktrace=1:log_path=$(ASAN)/reports/$@/ubsan; \
	export LSAN_OPTIONS=suppressions=$(ASAN)/leaks:print_suppressions=0; \
	status=0; $(1) || status=$$?; \
	for report in $(ASAN)/reports/$@/*; do \
		[ -e "$$report" ] || continue; \
		echo "== $$report" >&2; head -n 60 "$$report" >&2; status=1; \
	done; exit $$status
endef

test-asan-nginx: build/asan/nginx/nginx asan-module $(TEST_NGINX)/Test/Nginx.pm | deps-run deps-test
	$(call run_sanitised,$(call run_nginx,$(ASAN)/nginx/nginx,$(ASAN)/module/$(NAME).so,$(ASAN)/t))

test-asan-faults: build/asan/nginx/nginx asan-module | deps-run deps-test
	$(call run_sanitised,$(call run_faults,$(ASAN)/nginx/nginx,$(ASAN)/module/$(NAME).so))

## test-valgrind   test-nginx with nginx under valgrind, half an hour. What is too slow then fails a test, which does not
##                 count: a report of valgrind does
VALGRIND := $(BUILD)/valgrind
.PHONY: test-valgrind
test-valgrind: $(BUILD)/$(NAME).so $(TEST_NGINX)/Test/Nginx.pm | deps-run deps-test deps-valgrind
	@rm -rf $(VALGRIND); mkdir -p $(VALGRIND)/reports
	@-export VALGRIND_REPORTS=$(VALGRIND)/reports; $(call run_nginx,$(CURDIR)/tools/valgrind.sh,$<,$(VALGRIND)/t)
	@cd $(VALGRIND)/reports; echo "valgrind: $$(ls | wc -l) processes, reports of $$(find . -type f -size +0 | wc -l)"; \
	ls | grep -q . && ! cat * | grep .

## test-docs       docs/openapi.yaml: a valid description, and its examples against an nginx; needs npm's registry;
##                 the metrics and docs/alerts.yml by promtool
DOCS := $(BUILD)/docs
$(DOCS)/node_modules/.package-lock.json: t/docs/package.json t/docs/package-lock.json
	@command -v npm >/dev/null || tools/deps.sh node
	@mkdir -p $(DOCS)
	@cp $^ $(DOCS)/
	@cd $(DOCS) && npm ci --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

.PHONY: test-docs
test-docs: $(BUILD)/$(NAME).so $(DOCS)/node_modules/.package-lock.json | deps-run deps-docs
	@NODE_PATH=$(DOCS)/node_modules MODULE=$< tools/alone.sh node --test t/docs/*.test.js
	@promtool test rules t/docs/alerts.test.yml

## test-interop    t/interop: the libraries jose and @prefactor/pfid, fetched by npm, and this build
INTEROP := t/interop/node_modules/.package-lock.json
$(INTEROP): t/interop/package-lock.json
	@command -v npm >/dev/null || tools/deps.sh node
	cd $(<D) && npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

.PHONY: test-interop
test-interop: $(BUILD)/$(NAME).so $(INTEROP) | deps-run
	@MODULE=$< tools/alone.sh node --test t/interop/*.test.mjs

## fuzz            t/fuzz by libFuzzer, each target for FUZZ_SECONDS=60 from t/fuzz/corpus and what earlier runs
##                 found, in build/fuzz; FUZZ_TARGETS='jwt …': only these
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= $(patsubst t/fuzz/%.cpp,%,$(wildcard t/fuzz/*.cpp))
FUZZ_FLAGS := -g -O1 $(SANITIZE) -fsanitize=fuzzer-no-link -MMD -MP
FUZZ_CXXFLAGS := $(FUZZ_FLAGS) -std=c++20 -Wall -Wextra -Werror -fno-exceptions -fno-rtti -Isrc
FUZZ_OBJECTS := $(patsubst src/token/%.cpp,build/fuzz/token/%.o,$(wildcard src/token/*.cpp))
# nginx's own sources that read a URL, with its headers, each allocation of a pool one of its own
FUZZ_NGINX := core/ngx_inet core/ngx_string core/ngx_palloc core/ngx_array os/unix/ngx_alloc
FUZZ_NGINX_OBJECTS := $(FUZZ_NGINX:%=build/fuzz/nginx/%.o)
FUZZ_NGINX_FLAGS := -Wno-unused-private-field -DNGX_DEBUG_PALLOC=1 $(NGINX_HEADERS)

build/fuzz/token/%.o: src/token/%.cpp Makefile | deps-build deps-fuzz
	@mkdir -p $(@D)
	clang++-14 $(FUZZ_CXXFLAGS) -c $< -o $@
build/fuzz/redis/%.o: src/redis/%.cpp Makefile | $(BUILD)/$(NAME).so deps-fuzz
	@mkdir -p $(@D)
	clang++-14 $(FUZZ_CXXFLAGS) $(FUZZ_NGINX_FLAGS) -c $< -o $@
build/fuzz/nginx/%.o: build/asan/source/configure Makefile | $(BUILD)/$(NAME).so deps-fuzz
	@mkdir -p $(@D)
	clang-14 $(FUZZ_FLAGS) $(FUZZ_NGINX_FLAGS) -c $(<D)/src/$*.c -o $@
build/fuzz/redis_url.o: FUZZ_CXXFLAGS += $(FUZZ_NGINX_FLAGS)
build/fuzz/redis_url.o: | $(BUILD)/$(NAME).so
build/fuzz/%.o: t/fuzz/%.cpp Makefile | deps-build deps-fuzz
	@mkdir -p $(@D)
	clang++-14 $(FUZZ_CXXFLAGS) -c $< -o $@
build/fuzz/redis_url: build/fuzz/redis_url.o build/fuzz/redis/url.o build/fuzz/redis/tls.o build/fuzz/redis/options.o $(FUZZ_NGINX_OBJECTS)
	clang++-14 $(SANITIZE) -fsanitize=fuzzer -Wl,--wrap=getaddrinfo $^ -o $@
build/fuzz/token.a: $(FUZZ_OBJECTS)
	ar rcs $@ $^
build/fuzz/%: build/fuzz/%.o build/fuzz/token.a
	clang++-14 $(SANITIZE) -fsanitize=fuzzer $^ -o $@ -ljansson -lcrypto
.SECONDARY: $(FUZZ_TARGETS:%=build/fuzz/%.o) $(FUZZ_OBJECTS) $(FUZZ_NGINX_OBJECTS) build/fuzz/redis/url.o build/fuzz/redis/tls.o build/fuzz/redis/options.o
-include $(wildcard build/fuzz/*.d build/fuzz/*/*.d)

.PHONY: fuzz
fuzz: | deps-build deps-fuzz
	+@$(inner_make) $(FUZZ_TARGETS:%=build/fuzz/%)
	@printf '%s\n' $(FUZZ_TARGETS) | xargs -P$$(nproc) -n1 tools/fuzz.sh $(FUZZ_SECONDS)

## test-platforms  demo and test of HEAD in bare chroots of Debian, kept in build/platforms/; as root.
##                 PLATFORMS='trixie …': only these
PLATFORMS ?= bookworm trixie sid
.PHONY: test-platforms
test-platforms: | deps-platforms
	@tools/platforms.sh $(PLATFORMS)

## demo            tools/demo.sh with this build
.PHONY: demo
demo: $(BUILD)/$(NAME).so | deps-run
	@MODULE=$< tools/demo.sh

## bench           what the module costs beside nginx's own floors; PEERS=DIR: then DIR/bench.py --module, too;
##                 BENCH='--seconds 3 --rounds 5 --connections 32 --workers 2'
.PHONY: bench
bench: $(BUILD)/$(NAME).so | deps-run deps-bench
	@python3 -B t/bench/bench.py $(BENCH) $<
	@$(if $(PEERS),python3 $(PEERS)/bench.py --module $(abspath $<))

## bench-scale     clusters with few tokens and with SCALE_TOKENS=10000000 (8 GiB), and what listeners cost Redis
SCALE_TOKENS ?= 10000000
.PHONY: bench-scale
bench-scale: $(BUILD)/$(NAME).so | deps-run deps-bench
	@python3 -B t/bench/scale.py --tokens $(SCALE_TOKENS) $(BENCH) $<
	@python3 -B t/bench/listeners.py $<

## install         into Debian's nginx, enabled there, DESTDIR=DIR honoured; nginx is not restarted
.PHONY: install
install: $(BUILD)/$(NAME).so
	install -d $(DESTDIR)/usr/lib/nginx/modules $(DESTDIR)/usr/share/nginx/modules-available $(DESTDIR)/etc/nginx/modules-enabled
	install -m 644 $< $(DESTDIR)/usr/lib/nginx/modules/
	echo "load_module modules/$(NAME).so;" >$(DESTDIR)/usr/share/nginx/modules-available/mod-http-api-token.conf
	ln -sfn /usr/share/nginx/modules-available/mod-http-api-token.conf \
		$(DESTDIR)/etc/nginx/modules-enabled/50-mod-http-api-token.conf

## deb             a package for this Debian's nginx, in build/deb/
## test-deb        installs, uses and purges it in a bare chroot of this Debian; as root
DEB := $(BUILD)/deb
.PHONY: deb test-deb
deb: | deps-build deps-deb
	@rm -rf $(DEB); mkdir -p $(DEB)/source
	@cp -r debian src docs config config.make LICENSE README.md nginx.conf.example $(DEB)/source/
	@cd $(DEB)/source && MAKEFLAGS= dpkg-buildpackage -us -uc -b >$(DEB)/build.log 2>&1 || \
		{ tail -n 20 $(DEB)/build.log >&2; exit 1; }
	@lintian --allow-root --fail-on error,warning $(DEB)/*.changes
	@ls $(DEB)/*.deb

test-deb: deb | deps-platforms
	@tools/test-deb.sh

## format          clang-format, in place
.PHONY: format
format: | deps-dev
	clang-format-14 -i $$(find src t/unit t/fuzz -name '*.[ch]pp')

## clean           removes build/ and what npm fetched
.PHONY: clean
clean:
	rm -rf build t/interop/node_modules

.PHONY: help
help:
	@sed -n 's/^## //p' Makefile
