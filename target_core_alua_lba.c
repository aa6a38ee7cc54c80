// SPDX-License-Identifier: GPL-2.0
/*
 * The map of the LBA dependent state (SPC-4 5.15.2.4.4), the attribute lba_map:
 * "SIZE MULTIPLIER" of the segments, then a line "FIRST LAST GROUP:STATE ..." a range.
 */
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "alua.h"

/* A map that is being read, before it is the device's. */
struct lba_map {
	u32			size, multiplier;
	int			members;	/* of every range; -1: none was read */
	struct list_head	ranges;
};

static const struct {
	char	letter;
	int	state;
} lba_states[] = {
	{ 'O',	SCSI_ACCESS_STATE_OPTIMAL },
	{ 'A',	SCSI_ACCESS_STATE_ACTIVE },
	{ 'S',	SCSI_ACCESS_STATE_STANDBY },
	{ 'U',	SCSI_ACCESS_STATE_UNAVAILABLE },
};

static void free_ranges(struct list_head *ranges)
{
	struct t10_alua_lba_map_member *mem, *next_mem;
	struct t10_alua_lba_map *range, *next;

	list_for_each_entry_safe(range, next, ranges, lba_map_list) {
		list_for_each_entry_safe(mem, next_mem, &range->lba_map_mem_list, lba_map_mem_list)
			kfree(mem);
		kfree(range);
	}
	INIT_LIST_HEAD(ranges);
}

/**
 * alua_lba_map_free() - the device goes
 * @dev:	the device
 */
void alua_lba_map_free(struct se_device *dev)
{
	free_ranges(&dev->t10_alua.lba_map_list);
}

static int read_member(struct t10_alua_lba_map *range, char *word)
{
	struct t10_alua_lba_map_member *mem;
	char *letter = strchr(word, ':');
	unsigned int i;
	u16 id;

	if (!letter)
		return -EINVAL;
	*letter++ = 0;
	if (kstrtou16(word, 10, &id) || strlen(letter) != 1)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(lba_states); i++)
		if (lba_states[i].letter == *letter)
			break;
	if (i == ARRAY_SIZE(lba_states))
		return -EINVAL;

	mem = kzalloc(sizeof(*mem), GFP_KERNEL);
	if (!mem)
		return -ENOMEM;
	mem->lba_map_mem_alua_pg_id = id;
	mem->lba_map_mem_alua_state = lba_states[i].state;
	list_add_tail(&mem->lba_map_mem_list, &range->lba_map_mem_list);
	return 0;
}

static char *next_word(char **line)
{
	char *word;

	do {
		word = strsep(line, " \t\r");
	} while (word && !*word);
	return word;
}

static int read_range(struct lba_map *map, char *line)
{
	char *first = next_word(&line), *last = next_word(&line), *word;
	struct t10_alua_lba_map *range;
	int err, members = 0;

	range = kzalloc(sizeof(*range), GFP_KERNEL);
	if (!range)
		return -ENOMEM;
	INIT_LIST_HEAD(&range->lba_map_mem_list);
	list_add_tail(&range->lba_map_list, &map->ranges);

	if (!first || !last || kstrtou64(first, 10, &range->lba_map_first_lba) ||
	    kstrtou64(last, 10, &range->lba_map_last_lba) ||
	    range->lba_map_first_lba > range->lba_map_last_lba)
		return -EINVAL;
	for (; (word = next_word(&line)); members++) {
		err = read_member(range, word);
		if (err)
			return err;
	}
	/* Every target port group has a state in every range. */
	if (!members || (map->members >= 0 && map->members != members))
		return -EINVAL;
	map->members = members;
	return 0;
}

static int read_segments(struct lba_map *map, char *line)
{
	char *size = next_word(&line), *multiplier = next_word(&line);

	if (!size || !multiplier || kstrtou32(size, 10, &map->size) ||
	    kstrtou32(multiplier, 10, &map->multiplier) || next_word(&line))
		return -EINVAL;
	return 0;
}

static int read_map(struct lba_map *map, char *text)
{
	bool segments = false;
	char *line;
	int err;

	while ((line = strsep(&text, "\n"))) {
		if (!*line)
			continue;
		err = segments ? read_range(map, line) : read_segments(map, line);
		if (err)
			return err;
		segments = true;
	}
	return map->members >= 0 && !map->size ? -EINVAL : 0;
}

/* Groups can be LBA dependent, or not any more. */
static void set_supported(struct se_device *dev, bool supported)
{
	struct t10_alua_tg_pt_gp *gp;

	mutex_lock(&alua_lock);
	list_for_each_entry(gp, &dev->t10_alua.tg_pt_gps_list, tg_pt_gp_list) {
		if (!gp->tg_pt_gp_valid_id)
			continue;
		if (supported)
			gp->tg_pt_gp_alua_supported_states |= ALUA_LBD_SUP;
		else
			gp->tg_pt_gp_alua_supported_states &= ~ALUA_LBD_SUP;
	}
	mutex_unlock(&alua_lock);
}

static void install(struct se_device *dev, struct lba_map *map)
{
	struct t10_alua *alua = &dev->t10_alua;
	LIST_HEAD(old);

	spin_lock(&alua->lba_map_lock);
	list_splice_init(&alua->lba_map_list, &old);
	list_splice_init(&map->ranges, &alua->lba_map_list);
	alua->lba_map_segment_size = map->size;
	alua->lba_map_segment_multiplier = map->multiplier;
	spin_unlock(&alua->lba_map_lock);
	free_ranges(&old);
	set_supported(dev, map->size);
}

/**
 * alua_dev_store_lba_map() - the attribute lba_map
 * @dev:	the device
 * @page:	the whole map; an empty one takes it away
 * @count:	its length
 *
 * Return: @count, -EINVAL or -ENOMEM, and the old map stays.
 */
ssize_t alua_dev_store_lba_map(struct se_device *dev, const char *page, size_t count)
{
	struct lba_map map = { .members = -1, .ranges = LIST_HEAD_INIT(map.ranges) };
	char *text;
	int err;

	if (memchr(page, 0, count))
		return -EINVAL;
	text = kmemdup_nul(page, count, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	err = read_map(&map, text);
	kfree(text);
	if (err)
		free_ranges(&map.ranges);
	else
		install(dev, &map);
	return err ? err : count;
}

static char state_letter(int state)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lba_states); i++)
		if (lba_states[i].state == state)
			return lba_states[i].letter;
	return 'U';
}

/**
 * alua_dev_show_lba_map() - the attribute lba_map
 * @dev:	the device
 * @page:	gets the map as far as it fits; nothing when there is none
 *
 * Return: bytes in @page.
 */
ssize_t alua_dev_show_lba_map(struct se_device *dev, char *page)
{
	struct t10_alua *alua = &dev->t10_alua;
	struct t10_alua_lba_map_member *mem;
	struct t10_alua_lba_map *range;
	ssize_t len = 0;

	spin_lock(&alua->lba_map_lock);
	if (!list_empty(&alua->lba_map_list))
		len += sysfs_emit(page, "%u %u\n", alua->lba_map_segment_size,
				  alua->lba_map_segment_multiplier);
	list_for_each_entry(range, &alua->lba_map_list, lba_map_list) {
		len += sysfs_emit_at(page, len, "%llu %llu", range->lba_map_first_lba,
				     range->lba_map_last_lba);
		list_for_each_entry(mem, &range->lba_map_mem_list, lba_map_mem_list)
			len += sysfs_emit_at(page, len, " %d:%c", mem->lba_map_mem_alua_pg_id,
					     state_letter(mem->lba_map_mem_alua_state));
		len += sysfs_emit_at(page, len, "\n");
	}
	spin_unlock(&alua->lba_map_lock);
	return len;
}
