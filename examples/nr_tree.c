/* SPDX-License-Identifier: MIT */
/*
 * nr_tree: the file system below nr_memfs by itself, for one thread: make some
 * directories and files, move one, print what there is.
 */
#include <inttypes.h>
#include <nr_files.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct level {
	const struct nr_files *files;
	int depth;
};

static int print(const struct nr_dirent *entry, void *arg)
{
	const struct level *above = arg;
	struct level level = { above->files, above->depth + 1 };
	struct nr_file st;

	if (nr_files_stat(level.files, entry->ino, &st))
		return -1;
	printf("%*s%.*s%s", 2 * above->depth, "", (int)entry->len, entry->name,
	       S_ISDIR(entry->mode) ? "/\n" : "");
	if (S_ISDIR(entry->mode))
		return nr_files_list(level.files, entry->ino, NULL, print,
				     &level);
	printf(" %" PRIu64 "\n", st.size);
	return 0;
}

int main(void)
{
	const uint64_t root = NR_FILES_ROOT;
	struct nr_files *files;
	struct level top = { NULL, 0 };
	uint64_t notes = 0, src = 0;
	struct nr_file st;
	char text[8] = "";
	int err;

	err = nr_files_create(&files);
	if (err) {
		fprintf(stderr, "nr_tree: %s\n", strerror(-err));
		return 1;
	}
	err = nr_files_mkdir(files, root, "src", 0755, &src);
	if (!err)
		err = nr_files_mkfile(files, src, "notes", 0644, &notes);
	if (!err)
		err = nr_files_mkfile(files, root, "scrap", 0644, NULL);
	if (!err && nr_files_write(files, notes, 1000, "the end", 7) == 7)
		nr_files_read(files, notes, 1004, text, 7);
	printf("at 1004: %s\n", text);
	nr_files_truncate(files, notes, 500);
	nr_files_link(files, notes, root, "too");
	nr_files_mkdir(files, root, "old", 0755, NULL);
	nr_files_mkdir(files, root, "empty", 0755, NULL);
	nr_files_rename(files, root, "src", root, "old/src");
	printf("into itself: %s\n",
	       strerror(-nr_files_rename(files, root, "old", src, "older")));
	nr_files_unlink(files, root, "scrap");
	nr_files_rmdir(files, root, "empty");
	top.files = files;
	nr_files_list(files, root, NULL, print, &top);
	if (!nr_files_lookup(files, src, "../../too", &st))
		printf("%" PRIu32 " names\n", st.nlink);
	nr_files_destroy(files);
	return err ? 1 : 0;
}
