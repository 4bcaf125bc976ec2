/* Compiles a seccomp profile with libseccomp, step by step as runc does, and writes the BPF program on stdout.
 *
 * stdin, a line each:
 *   default ACTION                          in hex, as SECCOMP_RET_...
 *   arch NAME                               as seccomp_arch_resolve_name(3) knows it
 *   rule ACTION NAME N [INDEX OP A B]...    N conditions, OP of enum scmp_compare
 * stderr: "unknown NAME" for each call that this libseccomp does not know.
 * With an argument NAME instead: one line "NUMBER NAME" for each call of that architecture.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int die(const char *what, int error)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-error));
	return 1;
}

static int names(const char *arch)
{
	uint32_t token = seccomp_arch_resolve_name(arch);
	unsigned base = token == SCMP_ARCH_X32 ? 0x40000000 : 0;

	for (unsigned i = 0; i < 600; i++) {
		char *name = seccomp_syscall_resolve_num_arch(token, (int)(base + i));
		if (name)
			printf("%u %s\n", i, name);
		free(name);
	}
	return 0;
}

int main(int argc, char **argv)
{
	char line[4096], name[64];
	scmp_filter_ctx filter = NULL;
	unsigned defaults = 0, action, count;
	int read, error;

	if (argc > 1)
		return names(argv[1]);
	while (fgets(line, sizeof line, stdin)) {
		if (sscanf(line, "default %x", &action) == 1) {
			filter = seccomp_init(defaults = action);
			seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
		} else if (sscanf(line, "arch %63s", name) == 1) {
			error = seccomp_arch_add(filter, seccomp_arch_resolve_name(name));
			if (error < 0 && error != -EEXIST)
				return die(line, error);
		} else if (sscanf(line, "rule %x %63s %u%n", &action, name, &count, &read) == 3) {
			struct scmp_arg_cmp args[6];
			const char *rest = line + read;
			int number = seccomp_syscall_resolve_name(name);

			if (number == __NR_SCMP_ERROR) {
				fprintf(stderr, "unknown %s\n", name);
				continue;
			}
			for (unsigned i = 0; i < count && i < 6; i++) {
				unsigned op;
				unsigned long long a, b;

				if (sscanf(rest, " %u %u %llu %llu%n", &args[i].arg, &op, &a, &b, &read) != 4)
					return die(line, -EINVAL);
				args[i].op = op;
				args[i].datum_a = a;
				args[i].datum_b = b;
				rest += read;
			}
			if (action == defaults)
				continue;
			error = seccomp_rule_add_array(filter, action, number, count, args);
			if (error < 0)
				return die(line, error);
		} else {
			return die(line, -EINVAL);
		}
	}
	error = seccomp_export_bpf(filter, 1);
	return error < 0 ? die("export", error) : 0;
}
