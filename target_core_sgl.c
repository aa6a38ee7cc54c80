// SPDX-License-Identifier: GPL-2.0
/*
 * The buffers of a command: memory for its data, and the way in and out of it
 * for the commands that the core answers itself.
 */
#include "core.h"

#include <linux/mm.h>
#include <linux/scatterlist.h>

/**
 * target_alloc_sgl - allocate a scatterlist of single pages
 * @sgl:	set to the list
 * @nents:	set to its length
 * @length:	bytes
 * @zero_page:	the bytes are zero
 * @chainable:	leave room to chain another list
 *
 * Memory for I/O comes without I/O (GFP_NOIO). May sleep.
 * Return: 0 or -ENOMEM.
 */
int target_alloc_sgl(struct scatterlist **sgl, unsigned int *nents, u32 length, bool zero_page,
		     bool chainable)
{
	*sgl = sgl_alloc_order(length, 0, chainable, GFP_NOIO | __GFP_RETRY_MAYFAIL | __GFP_NOWARN |
			      (zero_page ? __GFP_ZERO : 0), nents);
	return *sgl ? 0 : -ENOMEM;
}

/**
 * target_free_sgl - free what target_alloc_sgl() gave
 * @sgl:	the list
 * @nents:	its length
 */
void target_free_sgl(struct scatterlist *sgl, int nents)
{
	sgl_free_n_order(sgl, nents, 0);
}

/**
 * transport_generic_map_mem_to_cmd - use a fabric's memory for a command's data
 * @cmd:	the command
 * @sgl:	data, exactly cmd->data_length bytes
 * @sgl_count:	its entries; 0: nothing changes
 * @sgl_bidi:	data-in of a bidirectional command
 * @sgl_bidi_count: its entries
 *
 * Return: 0, or TCM_INVALID_CDB_FIELD for a CDB that asks for more than @sgl has.
 */
sense_reason_t transport_generic_map_mem_to_cmd(struct se_cmd *cmd, struct scatterlist *sgl, u32 sgl_count,
						struct scatterlist *sgl_bidi, u32 sgl_bidi_count)
{
	if (!sgl || !sgl_count)
		return 0;
	if (cmd->se_cmd_flags & SCF_OVERFLOW_BIT)
		return TCM_INVALID_CDB_FIELD;
	cmd->t_data_sg = sgl;
	cmd->t_data_nents = sgl_count;
	cmd->t_bidi_data_sg = sgl_bidi;
	cmd->t_bidi_data_nents = sgl_bidi_count;
	cmd->se_cmd_flags |= SCF_PASSTHROUGH_SG_TO_MEM_NOALLOC;
	return 0;
}

/**
 * transport_kmap_data_sg - a command's data as one piece
 * @cmd:	the command
 *
 * One entry of low memory is that piece. Several are copied into a buffer, as
 * their lengths need not be those of pages, and back by
 * transport_kunmap_data_sg(). May sleep.
 * Return: the address of cmd->data_length bytes, or NULL.
 */
void *transport_kmap_data_sg(struct se_cmd *cmd)
{
	struct scatterlist *sg = cmd->t_data_sg;

	if (!sg || !cmd->t_data_nents)
		return NULL;
	if (cmd->t_data_nents == 1 && !PageHighMem(sg_page(sg)))
		return sg_virt(sg);
	cmd->t_data_vmap = kvmalloc(cmd->data_length, GFP_NOIO);
	if (cmd->t_data_vmap)
		sg_copy_to_buffer(sg, cmd->t_data_nents, cmd->t_data_vmap, cmd->data_length);
	return cmd->t_data_vmap;
}

/**
 * transport_kunmap_data_sg - end what transport_kmap_data_sg() began
 * @cmd:	the command
 */
void transport_kunmap_data_sg(struct se_cmd *cmd)
{
	if (!cmd->t_data_vmap)
		return;
	sg_copy_from_buffer(cmd->t_data_sg, cmd->t_data_nents, cmd->t_data_vmap, cmd->data_length);
	kvfree(cmd->t_data_vmap);
	cmd->t_data_vmap = NULL;
}

/**
 * cmd_fetch - take bytes out of a command's data-out buffer
 * @cmd:	the command
 * @offset:	from there
 * @buf:	to here
 * @len:	as many
 *
 * Any context.
 *
 * Return: how many bytes there were, at most @len.
 */
size_t cmd_fetch(struct se_cmd *cmd, size_t offset, void *buf, size_t len)
{
	if (!cmd->t_data_sg || offset >= cmd->data_length)
		return 0;
	return sg_pcopy_to_buffer(cmd->t_data_sg, cmd->t_data_nents, buf,
				  min_t(size_t, len, cmd->data_length - offset), offset);
}

/**
 * cmd_put - put bytes into a command's data-in buffer
 * @cmd:	the command
 * @offset:	there
 * @buf:	from here
 * @len:	as many
 *
 * Any context.
 *
 * Return: how many bytes fitted.
 */
size_t cmd_put(struct se_cmd *cmd, size_t offset, const void *buf, size_t len)
{
	if (!cmd->t_data_sg || offset >= cmd->data_length)
		return 0;
	return sg_pcopy_from_buffer(cmd->t_data_sg, cmd->t_data_nents, buf,
				    min_t(size_t, len, cmd->data_length - offset), offset);
}

/**
 * cmd_reply - answer a data-in command with GOOD
 * @cmd:	the command
 * @buf:	what it gets, cut at the allocation length
 * @len:	bytes of it
 *
 * Any context.
 */
void cmd_reply(struct se_cmd *cmd, const void *buf, size_t len)
{
	cmd_put(cmd, 0, buf, len);
	target_complete_cmd_with_length(cmd, SAM_STAT_GOOD, min_t(size_t, len, INT_MAX));
}
