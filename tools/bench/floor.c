/* Replay a recording of floor.py: the floor without the start of a Python. */
#include <linux/rtnetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int buffer_size = 64 << 20;

static uint32_t last_sequence(const char *data, uint32_t length)
{
	uint32_t offset = 0, sequence = 0;

	while (offset < length) {
		const struct nlmsghdr *header = (const void *)(data + offset);

		sequence = header->nlmsg_seq;
		offset += NLMSG_ALIGN(header->nlmsg_len);
	}
	return sequence;
}

/* The first error, or 0 with the acknowledgement of the last message. */
static int answer(int kernel, uint32_t last)
{
	static char data[32768] __attribute__((aligned(4)));

	for (;;) {
		const struct nlmsghdr *header = (const void *)data;
		const struct nlmsgerr *error = NLMSG_DATA(header);

		if (recv(kernel, data, sizeof(data), 0) < (ssize_t)NLMSG_LENGTH(sizeof(int)))
			return -1;
		if (header->nlmsg_type != NLMSG_ERROR)
			continue;
		if (error->error || header->nlmsg_seq == last)
			return error->error;
	}
}

/* 0 at the end of a dump, NLMSG_DONE at the end of a datagram. */
static int dumped(int kernel)
{
	static char data[65536] __attribute__((aligned(4)));

	for (;;) {
		ssize_t length = recv(kernel, data, sizeof(data), 0);
		const struct nlmsghdr *first = (const void *)data, *last;

		if (length < (ssize_t)NLMSG_LENGTH(sizeof(int)) || first->nlmsg_type == NLMSG_ERROR)
			return -1;
		last = (const void *)(data + length - NLMSG_LENGTH(sizeof(int)));
		if (last->nlmsg_type == NLMSG_DONE && last->nlmsg_seq == first->nlmsg_seq)
			return 0;
	}
}

static int is_question(const char *data)
{
	return ((const struct nlmsghdr *)data)->nlmsg_type % 4 == RTM_GETLINK % 4;
}

int main(int argc, char **argv)
{
	int kernel = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), one = 1, error = 0;
	FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
	uint32_t length;

	if (!file || kernel < 0)
		return 2;
	setsockopt(kernel, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(kernel, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	setsockopt(kernel, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_size, sizeof(buffer_size));
	setsockopt(kernel, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_size, sizeof(buffer_size));
	while (!error && fread(&length, sizeof(length), 1, file) == 1) {
		char *data = malloc(length);

		if (!data || fread(data, 1, length, file) != length ||
		    send(kernel, data, length, 0) != (ssize_t)length)
			return 2;
		error = is_question(data) ? dumped(kernel) :
					    answer(kernel, last_sequence(data, length));
		free(data);
	}
	if (error)
		fprintf(stderr, "errno %d\n", -error);
	return error != 0;
}
